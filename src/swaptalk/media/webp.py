"""Animated WebP as video: its frames by Pillow, its times from the file's own chunks. Runs in the
decoding process.

FFmpeg reads still WebP only. The layout is that of the WebP container specification (RFC 9649).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from swaptalk.errors import InputError
from swaptalk.media.frame_source import StampedFrame

#: Frames of at most this many milliseconds are shown for the time after it, as browsers do.
_SHORTEST_MS, _DEFAULT_MS = 10, 100
#: Frames beyond which a file is no animation that anybody made.
_MAX_FRAMES = 1_000_000
_ANIMATION_FLAG = 0x02


@dataclass(frozen=True)
class WebpAnimation:
    """Size of an animation in pixels, and how long each frame is shown, in milliseconds."""

    width: int
    height: int
    durations: tuple[int, ...]

    @property
    def starts(self) -> list[int]:
        """When each frame begins, in milliseconds."""
        return [0, *accumulate(self.durations[:-1])]


def is_animated_webp(path: Path) -> bool:
    """Whether a file is a WebP whose header says that it is animated."""
    with path.open("rb") as file:
        head = file.read(21)
    return (
        len(head) == 21
        and head[:4] == b"RIFF"
        and head[8:16] == b"WEBPVP8X"
        and bool(head[20] & _ANIMATION_FLAG)
    )


def webp_animation(path: Path) -> WebpAnimation:
    """Read size and times of an animated WebP without decoding it.

    Raises:
        InputError: it holds no frame.
    """
    size, durations = (0, 0), []
    for name, payload in _chunks(path):
        if name == b"VP8X" and len(payload) >= 10:
            size = (1 + _uint24(payload, 4), 1 + _uint24(payload, 7))
        if name == b"ANMF" and len(payload) >= 16:
            shown = _uint24(payload, 12)
            durations.append(shown if shown > _SHORTEST_MS else _DEFAULT_MS)
    if not durations or len(durations) > _MAX_FRAMES:
        raise InputError(
            "is truncated or damaged", path=path, remedy="copy, download or export it again"
        )
    return WebpAnimation(*size, tuple(durations))


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Name and first 16 bytes of every chunk that is there as a whole."""
    end = path.stat().st_size
    with path.open("rb") as file:
        position = 12
        while position + 8 <= end:
            file.seek(position)
            head = file.read(24)
            name, length = head[:4], struct.unpack("<I", head[4:8])[0]
            if position + 8 + length > end:
                return
            yield name, head[8 : 8 + min(16, length)]
            position += 8 + length + length % 2


def _uint24(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 3], "little")


class WebpFrames:
    """The frames of an animated WebP; a damaged one ends it.

    Raises:
        InputError: it holds no frame.
    """

    base = Fraction(1, 1000)

    def __init__(self, path: Path) -> None:
        self._path, self._starts = path, webp_animation(path).starts
        self._open()

    def _open(self) -> None:
        from PIL import Image  # only here: Pillow is not needed for other video

        try:
            self._image = Image.open(self._path, formats=["WEBP"])
        except MemoryError:  # the limit of the process, not damage
            raise
        except Exception as error:  # Pillow may raise anything on hostile bytes
            raise InputError(
                "is truncated or damaged", path=self._path, remedy="copy or export it again"
            ) from error
        self._next = 0

    def next(self) -> StampedFrame | None:
        """The next frame; None at the end."""
        if self._next >= len(self._starts):
            return None
        try:
            self._image.seek(self._next)
            picture = np.asarray(self._image.convert("RGBA"))
        except MemoryError:
            raise
        except Exception:  # as above
            self._next = len(self._starts)
            return None
        stamp = self._starts[self._next]
        self._next += 1
        return StampedFrame(stamp, VideoFrame.from_ndarray(picture, format="rgba"))

    def seek(self, limit: int) -> StampedFrame | None:
        """Go on from the frame that is shown at ``limit`` milliseconds, or from the first."""
        wanted = max(0, bisect_right(self._starts, limit) - 1)
        if wanted < self._next:  # its decoder only goes forwards
            self.close()
            self._open()
        self._next = wanted
        return self.next()

    def close(self) -> None:
        """Close the file."""
        self._image.close()
