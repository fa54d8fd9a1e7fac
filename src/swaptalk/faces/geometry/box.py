"""Upright boxes of whole pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Box(NamedTuple):
    """Rows from ``top`` to before ``bottom`` and columns from ``left`` to before ``right``."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, points: NDArray[np.floating], margin: int, side: int) -> Box:
        """What holds points (N, 2 or 3) and so many pixels more, within a square of this side."""
        low = np.floor(points[:, :2].min(axis=0)).astype(int) - margin
        high = np.ceil(points[:, :2].max(axis=0)).astype(int) + margin + 1
        (left, top), (right, bottom) = np.clip([low, high], 0, side).tolist()
        return cls(top, bottom, left, right)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def aligned(self, step: int) -> Box:
        """Larger until every side lies on a multiple of so many pixels."""
        return Box(
            self.top - self.top % step,
            self.bottom + -self.bottom % step,
            self.left - self.left % step,
            self.right + -self.right % step,
        )

    def coarser(self, factor: int) -> Box:
        """An `aligned` box in pixels that are ``factor`` times as large."""
        return Box(*(side // factor for side in self))

    def finer(self, factor: int) -> Box:
        """The same box in pixels that are ``factor`` times as fine."""
        return Box(*(factor * side for side in self))

    def grown(self, pixels: int, side: int) -> Box:
        """Larger by so many pixels, within a square of this side."""
        return Box(
            max(self.top - pixels, 0),
            min(self.bottom + pixels, side),
            max(self.left - pixels, 0),
            min(self.right + pixels, side),
        )

    def common(self, other: Box) -> Box:
        """What lies in both, perhaps nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Box(top, max(top, bottom), left, max(left, right))

    def within(self, other: Box) -> Box:
        """This box as seen from another's corner."""
        return Box(
            self.top - other.top,
            self.bottom - other.top,
            self.left - other.left,
            self.right - other.left,
        )
