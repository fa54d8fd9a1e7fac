"""Inspect a media file: streams, sizes, rates, lengths, in the decoding process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import get_args

from swaptalk.errors import InputError
from swaptalk.media.field_order import FieldOrder
from swaptalk.media.limits import MAX_VIDEO_SIDE
from swaptalk.media.sandbox.pool import decoder
from swaptalk.media.sandbox.wire import Message, fraction_to_text, text_to_fraction

#: Kinds of pictures that are tone-mapped to SDR.
COLOURS = ("HDR (PQ)", "HDR (HLG)", "wide gamut")
#: Kinds of tracks that a user may miss when they are left out.
TRACK_KINDS = ("video", "audio", "subtitle")


@dataclass(frozen=True)
class VideoInfo:
    """The moving pictures of a file.

    ``width`` and ``height`` are as shown: after rotation, in square pixels. ``rotation`` is the
    clockwise turn in degrees that this took. ``average_fps`` is the constant rate to show it at;
    with ``variable_rate`` the pictures do not come at it evenly. ``length`` in seconds;
    ``truncated``: the file ends before its header says. ``colour``: one of :data:`COLOURS` where
    it is tone-mapped to SDR; ``transparent``: parts of the first picture let the background
    through; ``interlaced``: the first picture is, and such pictures are deinterlaced; ``fields``:
    all pictures are interlaced though no flag says so, and this field of theirs comes first.
    """

    width: int
    height: int
    average_fps: Fraction
    frame_count_estimate: int
    length: Fraction
    rotation: int
    variable_rate: bool
    codec: str
    pixel_format: str
    truncated: bool
    colour: str | None
    transparent: bool
    interlaced: bool
    fields: FieldOrder | None = None

    @property
    def duration(self) -> float:
        """`length` as a number with rounding."""
        return float(self.length)


@dataclass(frozen=True)
class AudioInfo:
    """The sound of a file: samples a second, channels, seconds, codec."""

    sample_rate: int
    channels: int
    duration: float
    codec: str


@dataclass(frozen=True)
class MediaInfo:
    """What a media file holds; ``duration`` in seconds from the first picture or sound to the
    last. ``left_out``: number of tracks by kind that are neither shown nor heard.
    """

    path: Path
    duration: float
    video: VideoInfo | None
    audio: AudioInfo | None
    left_out: Mapping[str, int]


def probe(path: str | Path) -> MediaInfo:
    """Describe a video or sound file.

    Raises:
        InputError: missing, empty, a still image, a playlist, no media, damaged beyond use, without
            pictures and sound, or beyond the limits (see :mod:`swaptalk.media.limits`).
    """
    path = Path(path)
    with decoder(path) as process:
        return info_from_message(process.ask({"do": "probe"}), path)


def count_frames(
    media: MediaInfo, fps: Fraction, start: Fraction = Fraction(0), end: Fraction | None = None
) -> int:
    """Number of frames of a part of a video (seconds) at a constant rate, at least 1.

    Raises:
        InputError: the part is empty.
    """
    assert media.video is not None
    stop = media.video.length if end is None else min(media.video.length, end)
    if start < 0 or start >= stop:
        raise InputError(
            f"no video from {float(start):.3f} s on: it ends at {float(stop):.3f} s",
            path=media.path,
            remedy="choose an earlier start",
        )
    return max(1, int((stop - start) * fps + Fraction(1, 2)))


def info_to_message(info: MediaInfo) -> Message:
    """Convert a description to a message of the decoding process."""
    video = info.video and {
        **asdict(info.video),
        "average_fps": fraction_to_text(info.video.average_fps),
        "length": fraction_to_text(info.video.length),
    }
    return {
        "duration": info.duration,
        "video": video,
        "audio": info.audio and asdict(info.audio),
        "left_out": dict(info.left_out),
    }


def info_from_message(message: Message, path: Path) -> MediaInfo:
    """Convert a message of :func:`info_to_message` back.

    Raises:
        ValueError, KeyError, TypeError: the message is no valid description.
    """
    video, audio = message["video"], message["audio"]
    if video is not None:
        exact = {name: text_to_fraction(video[name]) for name in ("average_fps", "length")}
        video = VideoInfo(**{**video, **exact})
        if not (0 < video.width <= 4 * MAX_VIDEO_SIDE and 0 < video.height <= 4 * MAX_VIDEO_SIDE):
            raise ValueError("impossible size")
        if not 0 < video.average_fps or video.length < 0:
            raise ValueError("impossible rate or length")
        if video.fields not in (None, *get_args(FieldOrder)):
            raise ValueError("unknown order of fields")
        if video.colour not in (None, *COLOURS):
            raise ValueError("unknown colour")
    return MediaInfo(
        path,
        float(message["duration"]),
        video,
        None if audio is None else AudioInfo(**audio),
        {kind: int(message["left_out"].get(kind, 0)) for kind in TRACK_KINDS},
    )
