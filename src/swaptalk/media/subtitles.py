"""Subtitles: read SubRip and WebVTT, cut and arrange cues."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swaptalk.errors import InputError
from swaptalk.media.sandbox.pool import decoder
from swaptalk.storage.files import check_input_file

SUBTITLE_SUFFIXES = (".srt", ".vtt")
#: Larger files are no subtitles: a film has 100 kB.
_MOST_BYTES = 4 << 20
_TIME = r"(?:(\d{1,3}):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})"
_TIMES = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
#: Formatting that is left out: HTML-like tags, and positions of SubStation.
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|\{\\[^}]*\}")


@dataclass(frozen=True)
class Cue:
    """A text that is shown from ``start`` to ``end``, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class SubtitleTrack:
    """Cues in order, and what the track is called."""

    cues: tuple[Cue, ...]
    language: str | None = None
    title: str | None = None


def read_subtitles(path: Path) -> tuple[Cue, ...]:
    """Read a SubRip (.srt) or WebVTT (.vtt) file.

    Raises:
        InputError: it cannot be read, or a cue in it is wrong.
    """
    check_input_file(path)
    if path.stat().st_size > _MOST_BYTES:
        raise InputError("is too large for subtitles", path=path, remedy="give an .srt file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", path=path, remedy="save it as UTF-8") from None
    return parse_subtitles(text, path)


def parse_subtitles(text: str, path: Path | None = None) -> tuple[Cue, ...]:
    """Read the text of a SubRip or WebVTT file; formatting is left out.

    Raises:
        InputError: there is no cue in it, or one ends before it starts; naming the line.
    """
    cues: list[Cue] = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines):
        times = _TIMES.match(line)
        if times is None:
            if "-->" in line:
                raise _wrong(number, "is no time such as 00:00:01,500 --> 00:00:03,000", path)
            continue
        start, end = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
        if end <= start:
            raise _wrong(number, "ends before it starts", path)
        words = []
        for following in lines[number + 1 :]:
            if not following.strip():
                break
            words.append(_MARKUP.sub("", following).strip())
        if any(words):
            cues.append(Cue(start, end, "\n".join(words)))
    if not cues:
        raise InputError("holds no subtitles", path=path, remedy="give an .srt or .vtt file")
    return tuple(sorted(cues, key=lambda cue: cue.start))


def _wrong(number: int, problem: str, path: Path | None) -> InputError:
    return InputError(f"line {number + 1} {problem}", path=path, remedy="correct the line")


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def cut_cues(cues: Iterable[Cue], start: float, end: float) -> tuple[Cue, ...]:
    """The cues between two times, with the first as time 0."""
    return tuple(
        replace(cue, start=max(cue.start, start) - start, end=min(cue.end, end) - start)
        for cue in cues
        if cue.end > start and cue.start < end
    )


def without_overlaps(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """Cues that follow each other: where some overlap, their texts stand below each other."""
    times = sorted({time for cue in cues for time in (cue.start, cue.end)})
    apart: list[Cue] = []
    for start, end in zip(times, times[1:], strict=False):
        text = "\n".join(cue.text for cue in cues if cue.start < end and cue.end > start)
        if not text:
            continue
        if apart and apart[-1].end == start and apart[-1].text == text:
            apart[-1] = replace(apart[-1], end=end)
        else:
            apart.append(Cue(start, end, text))
    return tuple(apart)


@dataclass(frozen=True)
class Track:
    """A further track of a file.

    Args:
        index: of the stream in the file.
        kind: audio or subtitle.
        codec: FFmpeg's name.
        language, title: as the file says, None if it does not.
    """

    index: int
    kind: str
    codec: str
    language: str | None
    title: str | None


def further_tracks(path: Path) -> tuple[Track, ...]:
    """The tracks of sound and subtitles that are neither heard nor seen by themselves.

    Raises:
        InputError: the file cannot be read.
    """
    return tuple(Track(**one) for one in _read(path, "tracks"))


def track_cues(path: Path, track: Track) -> tuple[Cue, ...]:
    """Cues of a subtitle track, on the clock of the pictures.

    Raises:
        InputError: its subtitles are pictures, or the file cannot be read.
    """
    found = _read(path, "cues", track.index)
    if found is None:
        raise InputError(
            f"its subtitle track {track.index} ({track.codec}) holds pictures instead of text",
            path=path,
            remedy="leave out --keep-tracks, or convert that track to text",
        )
    cues = [Cue(float(start), float(end), str(text)) for start, end, text in found]
    return tuple(sorted((cue for cue in cues if cue.end > cue.start), key=lambda cue: cue.start))


def _read(path: Path, reader: str, *arguments: object) -> Any:
    with decoder(path) as process:
        return process.read(reader, *arguments)
