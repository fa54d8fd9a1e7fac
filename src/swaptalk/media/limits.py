"""Limits of media files. Each has a reason; those that real footage may reach have a variable.

The variables are read when a file is opened, and by the decoding process when it starts.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields

from swaptalk.errors import InputError

#: More streams than any camera or editor writes.
MAX_STREAMS = 64
#: Longest side of a picture, the limit of most codecs' levels.
MAX_VIDEO_SIDE = 16384
#: Largest still image in pixels: Pillow's own bomb limit, a 256 MiB RGB array.
MAX_IMAGE_PIXELS = 89_478_485
#: Pictures a second: phones' extreme slow motion is 960. A faster header is damaged.
MAX_FRAME_RATE = 1000
#: Sample rates and channel counts outside these are damage, not sound.
SAMPLE_RATES = range(1000, 768001)
MAX_CHANNELS = 64


@dataclass(frozen=True)
class Limits:
    """The limits that a user may raise, each by the environment variable ``SWAPTALK_`` and its name
    in capitals.
    """

    max_file_gb: float = 64
    """Size of a file in 10^9 bytes: ten hours of 4K from a camera at 14 MB/s; more is mostly a
    mistaken file."""
    max_video_megapixels: float = 7680 * 4320 / 1e6
    """Pixels of a picture in millions: 8K. A frame of it takes 100 MB as RGB."""
    max_media_hours: float = 24
    """Length that a file may claim: longer ones are endless recordings or damaged clocks."""
    decoder_memory_mb: float = 2048
    """Private memory of the decoding process in 2^20 bytes: 8K at 10 bit on a few threads."""
    decoder_seconds: float = 120
    """Time until the decoding process must show a picture or a second of sound: the longest group
    of pictures in 8K."""

    @classmethod
    def from_environment(cls) -> Limits:
        """Return the limits, changed by the user's variables.

        Raises:
            InputError: a variable is not a number above 0.
        """
        values = {}
        for field in fields(cls):
            name = variable(field.name)
            text = os.environ.get(name)
            if text:
                values[field.name] = _positive(name, text)
        return cls(**values)


def variable(name: str) -> str:
    """Return the environment variable of a field of :class:`Limits`."""
    return f"SWAPTALK_{name.upper()}"


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(
            f"{name}={text} is not a number above 0", remedy="correct the variable or unset it"
        )
    return value


def beyond(problem: str, field: str, path: object, remedy: str) -> InputError:
    """Make the error for a file beyond a limit that the user can raise."""
    return InputError(
        f"{problem}, beyond the limit",
        path=str(path),
        remedy=f"{remedy}, or raise {variable(field)}",
    )
