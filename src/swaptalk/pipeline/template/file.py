"""The template file: a ZIP archive without compression, a JSON header, and a SHA-256 of every
member.

Nothing in a file is believed: names, sizes and sums are checked before a byte of a member is used,
there is no compression to expand and nothing that runs.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from swaptalk.errors import InputError
from swaptalk.faces.detection.people import Renumbering
from swaptalk.storage.files import AtomicFile, check_input_file

#: Version of the layout and of what the faces were measured with. Others are refused.
TEMPLATE_FORMAT = 3
TEMPLATE_SUFFIX = ".swaptalk"
_HEADER = "template.json"
#: Name of an embedded target.
VIDEO_MEMBER = "target"
#: A header grows with scene cuts only; ten megabytes hold a million of them.
_MAX_HEADER_BYTES = 10 << 20
#: Letters of the digest of a shape.
_DIGEST = 16
#: Photos of one source: more are a damaged list.
_MAX_PHOTOS = 1000
#: More frames than this (100 hours at 25 a second) are a damaged number.
_MAX_FRAMES = 9_000_000
#: Bytes copied and hashed at a time.
_BLOCK = 1 << 20
#: The archive holds no times, so that the same analysis gives the same file.
_EPOCH = (1980, 1, 1, 0, 0, 0)

#: What precedes a member in the archive ends with the lengths of its name and of an extra field,
#: which follow.
_LOCAL_HEADER = struct.Struct("<26xHH")

#: What ``zipfile`` and ``json`` raise for damaged input; RuntimeError includes too deep nesting and
#: encryption.
_UNREADABLE = (zipfile.BadZipFile, ValueError, RuntimeError, EOFError, struct.error, OverflowError)

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


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:80] or type(error).__name__


def write_template_file(path: Path, header: TemplateHeader, files: Mapping[str, Path]) -> None:
    """Write a template whole or not at all; ``files`` are the members by name.

    Raises:
        InputError: the place cannot be written, or the disk is full.
    """
    with (
        AtomicFile(path) as file,
        zipfile.ZipFile(file.part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        text = json.dumps({"format": TEMPLATE_FORMAT, **asdict(header)}, indent=1)
        archive.writestr(zipfile.ZipInfo(_HEADER, _EPOCH), text)
        for name, source in files.items():
            with (
                source.open("rb") as reader,
                archive.open(zipfile.ZipInfo(name, _EPOCH), "w", force_zip64=True) as out,
            ):
                while block := reader.read(_BLOCK):
                    out.write(block)


def describe_file(path: Path) -> Member:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Member(size, digest.hexdigest())


def read_header(path: Path) -> TemplateHeader:
    """Read the header and see that the archive has exactly the members it names, at their sizes.

    Raises:
        InputError: no such file, not a template, damaged, or of another version.
    """
    check_input_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if len(entries) != len(archive.infolist()) or _HEADER not in entries:
                raise damaged(
                    path, "it has no header" if _HEADER not in entries else "members appear twice"
                )
            if any(
                entry.compress_type != zipfile.ZIP_STORED
                or entry.flag_bits & 1
                or entry.file_size != entry.compress_size
                for entry in entries.values()
            ):
                raise damaged(path, "a member is compressed or encrypted")
            if entries[_HEADER].file_size > _MAX_HEADER_BYTES:
                raise damaged(path, "its header is too large")
            record = json.loads(archive.read(_HEADER))
        header = _parse(record, path)
        sizes = {name: entry.file_size for name, entry in entries.items() if name != _HEADER}
    except (*_UNREADABLE, OSError) as error:
        raise damaged(path, _said(error)) from error
    if sizes != {name: member.size for name, member in header.members.items()}:
        raise damaged(path, "members are missing or of another size")
    return header


def member_start(path: Path, name: str) -> int:
    """Where in the file the bytes of a member begin.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            entry = archive.getinfo(name).header_offset
            file.seek(entry)
            name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            return int(entry + _LOCAL_HEADER.size + name_bytes + extra_bytes)
    except (*_UNREADABLE, KeyError) as error:
        raise damaged(path, f"{name}: {_said(error)}") from error


def extract(path: Path, name: str, member: Member, to: Path | None) -> None:
    """Copy one member to a file (None: only verify it).

    Raises:
        InputError: its checksum is wrong, or the disk is full.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as reader:
            sink = None if to is None else to.open("wb")
            try:
                while block := reader.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    if sink is not None:
                        sink.write(block)
            finally:
                if sink is not None:
                    sink.close()
    except (*_UNREADABLE, KeyError) as error:
        raise damaged(path, f"{name}: {_said(error)}") from error
    if (size, digest.hexdigest()) != (member.size, member.sha256):
        raise damaged(path, f"the checksum of {name} is wrong")


def _parse(record: Any, path: Path) -> TemplateHeader:
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
    if any(len(digest) != _DIGEST for digest in shapes) or not (
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
