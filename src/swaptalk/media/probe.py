"""Inspect a media file: streams, sizes, rates, lengths, in the decoding process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

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
    with ``variable_rate`` the pictures do not come at it evenly. ``duration`` in seconds;
    ``truncated``: the file ends before its header says. ``colour``: one of :data:`COLOURS` where
    it is tone-mapped to SDR; ``transparent``: parts of the first picture let the background
    through; ``interlaced``: the first picture is, and such pictures are deinterlaced.
    """

    width: int
    height: int
    average_fps: Fraction
    frame_count_estimate: int
    duration: float
    rotation: int
    variable_rate: bool
    codec: str
    pixel_format: str
    truncated: bool
    colour: str | None
    transparent: bool
    interlaced: bool


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


def info_to_message(info: MediaInfo) -> Message:
    """Convert a description to a message of the decoding process."""
    video = info.video and {
        **asdict(info.video),
        "average_fps": fraction_to_text(info.video.average_fps),
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
        video = VideoInfo(**{**video, "average_fps": text_to_fraction(video["average_fps"])})
        if not (0 < video.width <= 4 * MAX_VIDEO_SIDE and 0 < video.height <= 4 * MAX_VIDEO_SIDE):
            raise ValueError("impossible size")
        if not 0 < video.average_fps or not 0 <= video.duration < math.inf:
            raise ValueError("impossible rate or length")
        if video.colour not in (None, *COLOURS):
            raise ValueError("unknown colour")
    return MediaInfo(
        path,
        float(message["duration"]),
        video,
        None if audio is None else AudioInfo(**audio),
        {kind: int(message["left_out"].get(kind, 0)) for kind in TRACK_KINDS},
    )
