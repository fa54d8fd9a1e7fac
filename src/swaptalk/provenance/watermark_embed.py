"""Embed the invisible watermark in pictures, stronger where texture hides it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.provenance.watermark_tile import TILE, cell_pixels, tile

#: Strength in grey levels (standard deviation of the mark): this much in flat areas ...
FLAT_STRENGTH = 0.7
#: ... this much more for each grey level of local contrast (standard deviation), up to a bound.
TEXTURE_STRENGTH, GREATEST_STRENGTH = 0.13, 3.0
#: Small videos have fewer pixels to hide the mark in and are compressed harder: they get up to this
#: factor more ...
SMALL_VIDEO_GAIN = 1.4
#: ... growing between these lengths of the shorter side.
SMALL_SIDE, LARGE_SIDE = 288, 720
#: Root mean square of a picture's change, in grey levels, that is never exceeded: 43 dB in large
#: videos, 42 in small.
GREATEST_CHANGE, GREATEST_SMALL_CHANGE = 1.8, 2.0
#: Contrast is measured on a picture this many cells coarse, over this many of its pixels.
_COARSE_CELLS, _WINDOW = 2, 5
#: Fixed-point units: the pattern is held in 1/48 of its standard deviation, the strength in 1/32
#: grey level; in a byte these reach 5.3 deviations and 8 grey levels.
_PATTERN_UNIT, _STRENGTH_UNIT = 48, 32


def smallness(width: int, height: int) -> float:
    """Return where a video size lies between large (0) and small (1)."""
    return float(np.interp(min(width, height), (SMALL_SIDE, LARGE_SIDE), (1.0, 0.0)))


class Watermarker:
    """Marks pictures of one size with one identifier. Equal pictures give equal results.

    Not for use from several threads at once.

    Args:
        identifier: 64 bits.
        width, height: of the pictures.
    """

    def __init__(self, identifier: int, width: int, height: int) -> None:
        self.identifier = identifier
        self._size = (width, height)
        cell = cell_pixels(width, height)
        pattern = _spread(tile(identifier), width, height, cell) * _PATTERN_UNIT
        # Two halves, because bytes that saturate are added several times faster than signed
        # numbers.
        self._lighter = np.rint(np.maximum(pattern, 0)).astype(np.uint8)
        self._darker = np.rint(np.maximum(-pattern, 0)).astype(np.uint8)
        self._coarse = tuple(max(1, round(side / cell / _COARSE_CELLS)) for side in self._size)
        small = smallness(width, height)
        self._gain = 1.0 + (SMALL_VIDEO_GAIN - 1.0) * small
        self._greatest_change = GREATEST_CHANGE + (GREATEST_SMALL_CHANGE - GREATEST_CHANGE) * small
        # Kept from frame to frame: fresh memory would cost a quarter of the time.
        self._strength = np.empty((height, width), np.uint8)
        self._change = np.empty((height, width), np.uint8)
        self._colours = np.empty((height, width, 3), np.uint8)

    def strength(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mark's strength, (H, W) in 1/32 grey level; valid until the next call."""
        grey = cv2.cvtColor(cv2.resize(picture, self._coarse), cv2.COLOR_RGB2GRAY).astype(
            np.float32
        )
        window = (_WINDOW, _WINDOW)
        mean = cv2.blur(grey, window)
        contrast = cv2.sqrt(np.maximum(cv2.blur(grey * grey, window) - mean * mean, 0))
        # Beside a strong edge lies a flat area that hides nothing: take the least contrast around.
        contrast = cv2.erode(contrast, np.ones((3, 3), np.uint8))
        levels = (
            np.minimum(FLAT_STRENGTH + TEXTURE_STRENGTH * contrast, GREATEST_STRENGTH) * self._gain
        )
        levels = cv2.blur(levels, window)
        change = float(np.sqrt(np.mean(levels * levels)))
        coarse = np.rint(
            levels * (_STRENGTH_UNIT * min(1.0, self._greatest_change / change))
        ).astype(np.uint8)
        return np.asarray(cv2.resize(coarse, self._size, dst=self._strength), np.uint8)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mark a picture, (H, W, 3) uint8 RGB, in place where it lies in one piece; returns the
        marked one.
        """
        strength = self.strength(picture)
        scale = 1 / (_PATTERN_UNIT * _STRENGTH_UNIT)
        marked = np.ascontiguousarray(picture)
        for pattern, apply in ((self._lighter, cv2.add), (self._darker, cv2.subtract)):
            cv2.multiply(pattern, strength, dst=self._change, scale=scale)
            cv2.cvtColor(self._change, cv2.COLOR_GRAY2RGB, dst=self._colours)
            apply(marked, self._colours, dst=marked)
        return marked


def _spread(
    pattern: NDArray[np.float32], width: int, height: int, cell: float
) -> NDArray[np.float32]:
    """Repeat a tile over a picture (H, W), cells ``cell`` pixels large, beginning in the upper left
    corner.
    """
    margin = 2  # neighbours that cubic interpolation looks at
    columns = ((np.arange(width) + 0.5) / cell - 0.5) % TILE + margin
    rows = ((np.arange(height) + 0.5) / cell - 0.5) % TILE + margin
    wrapped = np.pad(pattern, margin, mode="wrap")
    x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return np.asarray(cv2.remap(wrapped, x, y, cv2.INTER_CUBIC), np.float32)
