"""Frames of videos, and how much a face in them has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.video_reader import VideoReader

#: Compression changes pixels by less than this on average; the stand-in networks change faces by
#: far more.
UNTOUCHED = 6.0


def read(path: Path) -> list[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        return list(reader.frames())


def change(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean change over the middle of the picture, where the face is."""
    height, width = a.shape[:2]
    middle = slice(height // 4, 3 * height // 4), slice(width // 3, 2 * width // 3)
    return float(np.abs(a[middle].astype(int) - b[middle]).mean())
