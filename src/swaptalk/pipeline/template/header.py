"""Header of a template file: what it says, read from JSON with every value checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from swaptalk.errors import InputError
from swaptalk.faces.detection.people import Renumbering

#: Version of the layout and of what the faces were measured with. Others are refused.
TEMPLATE_FORMAT = 5


#: Name of an embedded target.
VIDEO_MEMBER = "target"


#: Letters of the digest of a shape.
_DIGEST = 16


#: Photos of one source: more are a damaged list.
_MAX_PHOTOS = 1000


#: More frames than this (100 hours at 25 a second) are a damaged number.
_MAX_FRAMES = 9_000_000


T = TypeVar("T")


@dataclass(frozen=True)
class Member:
    """One file in the archive."""

    size: int
    sha256: str


@dataclass(frozen=True)
class TargetFile:
    """The video or photo that the template was made of."""

    name: str
    size: int
    sha256: str
    relative: str | None = None
    """Where it lies as seen from the template's folder; None if it is embedded."""
    absolute: str | None = None
    """Where it lay when the template was made; None if it is embedded."""

    @property
    def embedded(self) -> bool:
        """Whether the template carries it."""
        return self.relative is None


@dataclass(frozen=True)
class StoredSwap:
    """The source of a stored swap, and everything else that its frames depend on."""

    photos: list[str]
    """SHA-256 of each photo of the source, in order."""
    source_face: str | None
    """Choice of face in the photos as it was asked for."""
    strength: float
    shape: float
    arithmetic: str
    """What computed it: engine, version and processor."""
    shapes: list[str]
    """Digest of the shape of the target's face in each scene."""
    samples: str
    """Digest of the frames by which the swap got to know the target."""


@dataclass(frozen=True)
class TemplateHeader:
    """What a template says of itself."""

    software: str
    """Version of the program that made it."""
    weights: str
    """Fingerprint of the networks whose codes it holds."""
    target: TargetFile
    face: str | None
    """Choice of face as it was asked for; so are the next four."""
    start: float
    end: float | None
    asked_fps: str | None
    asked_resolution: str | None
    fps: str
    """Frames per second that this came to, as a fraction."""
    width: int
    height: int
    frames: int
    usable_frames: int
    """Frames in which the face can be replaced."""
    reasons: list[str]
    """Why a frame is left as it is; number 0 means that it is not."""
    cuts: list[int]
    """First frames of new scenes."""
    renumbered: list[list[int]]
    """Corrections of people's numbers, each as the fields of `Renumbering`."""
    members: dict[str, Member]
    swap: StoredSwap | None = None
    """The swap that is built in, if one is."""

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.fps)

    @property
    def corrections(self) -> list[Renumbering]:
        """Corrections of people's numbers."""
        return [Renumbering(*numbers) for numbers in self.renumbered]


def damaged(path: Path, what: str) -> InputError:
    """The error for a file that cannot be what it says."""
    return InputError(
        f"is not a usable template ({what})",
        path=path,
        remedy="copy it again, or make it anew with 'swaptalk template build'",
    )


def one_line(error: Exception) -> str:
    """The message of an error in one line of at most 80 characters."""
    return " ".join(str(error).split())[:80] or type(error).__name__


def parse_header(record: Any, path: Path) -> TemplateHeader:
    """Build the header from JSON, believing nothing.

    Raises:
        InputError: another version, or something is missing or impossible.
    """
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise damaged(path, "its header says no version")
    if record["format"] != TEMPLATE_FORMAT:
        raise InputError(
            f"is a template of format {record['format']}, this version reads {TEMPLATE_FORMAT}",
            path=path,
            remedy="make it anew with 'swaptalk template build'",
        )
    target = _get(record, "target", dict)
    frames = _number(record, "frames", 1, _MAX_FRAMES)
    header = TemplateHeader(
        software=_text(record, "software"),
        weights=_text(record, "weights"),
        target=TargetFile(
            _file_name(target),
            _number(target, "size", 1, 1 << 62),
            _sha256(target),
            _optional_text(target, "relative"),
            _optional_text(target, "absolute"),
        ),
        face=_optional_text(record, "face"),
        asked_fps=_optional_text(record, "asked_fps"),
        asked_resolution=_optional_text(record, "asked_resolution"),
        start=_time(record, "start"),
        end=None if record.get("end") is None else _time(record, "end"),
        fps=_fps(record),
        width=_number(record, "width", 1, 1 << 16),
        height=_number(record, "height", 1, 1 << 16),
        frames=frames,
        usable_frames=_number(record, "usable_frames", 1, frames),
        reasons=_list(record, "reasons", str, 255),
        cuts=_list(record, "cuts", int, frames),
        renumbered=[_renumbering(one) for one in _list(record, "renumbered", list, _MAX_FRAMES)],
        members={
            str(name): Member(_number(_as(one, dict), "size", 0, 1 << 62), _sha256(one))
            for name, one in _get(record, "members", dict).items()
        },
        swap=None if record.get("swap") is None else _swap(_get(record, "swap", dict)),
    )
    if header.target.embedded != (VIDEO_MEMBER in header.members):
        raise ValueError("it does not say where its target is")
    return header


def _swap(record: Mapping[str, Any]) -> StoredSwap:
    shapes = _list(record, "shapes", str, _MAX_FRAMES)
    strength, shape = _finite(record.get("strength")), _finite(record.get("shape"))
    samples = _text(record, "samples")
    if any(len(digest) != _DIGEST for digest in [*shapes, samples]) or not (
        0 <= strength <= 1 and 0 <= shape <= 1
    ):
        raise ValueError("its stored swap is out of range")
    photos = [_sha256({"sha256": photo}) for photo in _list(record, "photos", str, _MAX_PHOTOS)]
    return StoredSwap(
        photos,
        _optional_text(record, "source_face"),
        strength,
        shape,
        _text(record, "arithmetic"),
        shapes,
        samples,
    )


def _renumbering(record: list[Any]) -> list[int]:
    numbers = [_as(number, int) for number in record]
    if len(numbers) != 4 or not all(0 <= number <= _MAX_FRAMES for number in numbers):
        raise ValueError("a correction of numbers is out of range")
    return numbers


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a value in its header is no number")
    return float(value)


def _as(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"a value in its header is no {kind.__name__}")
    return value


def _get(record: Mapping[str, Any], key: str, kind: type[T]) -> T:
    if key not in record:
        raise ValueError(f"its header lacks {key}")
    return _as(record[key], kind)


def _number(record: Mapping[str, Any], key: str, low: int, high: int) -> int:
    value = _get(record, key, int)
    if not low <= value <= high:
        raise ValueError(f"{key} in its header is out of range")
    return value


def _text(record: Mapping[str, Any], key: str, longest: int = 4096) -> str:
    value = _get(record, key, str)
    if len(value) > longest or not value.isprintable():
        raise ValueError(f"{key} in its header is no plain text")
    return value


def _optional_text(record: Mapping[str, Any], key: str) -> str | None:
    return None if record.get(key) is None else _text(record, key)


def _file_name(record: Mapping[str, Any]) -> str:
    name = _text(record, "name", 255)
    if not name or Path(name).name != name or "\\" in name:
        raise ValueError("the target's name is no file name")
    return name


def _sha256(record: Mapping[str, Any]) -> str:
    value = _text(record, "sha256", 64)
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError("a checksum in its header is none")
    return value


def _time(record: Mapping[str, Any], key: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{key} in its header is no time")
    return float(value)


def _fps(record: Mapping[str, Any]) -> str:
    text = _text(record, "fps", 32)
    try:
        valid = 0 < Fraction(text) <= 1000
    except ZeroDivisionError:
        valid = False
    if not valid:
        raise ValueError("fps in its header is out of range")
    return text


def _list(record: Mapping[str, Any], key: str, kind: type[T], longest: int) -> list[T]:
    values = _get(record, key, list)
    if len(values) > longest:
        raise ValueError(f"{key} in its header is too long")
    return [_as(value, kind) for value in values]
