"""Temporal jitter: flicker of a generated clip where the target stands still."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: A pixel stands still when the target's luminance, smoothed over its neighbourhood, changes by
#: less than this many grey levels from frame to frame: above compression noise, below any motion of
#: a textured surface.
STILL_BELOW = 2.0
#: Smoothing of that test in pixels.
_SMOOTHING = 3.0


@dataclass
class TemporalJitter:
    """Adds up frame-to-frame luminance changes at pixels where the target stands still; feed frames
    in order.

    ``generated`` and ``target`` are mean absolute changes in grey levels (0..255) at those pixels;
    their difference, ``excess``, is what the method added: 0 is best, negative where it smooths the
    target's own noise.
    """

    _previous: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    _generated: float = 0.0
    _target: float = 0.0
    _pixels: int = 0

    def add(self, generated: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
        """Take the next pair of RGB frames (H, W, 3) uint8 of equal size.

        Raises:
            ValueError: the shapes differ.
        """
        if generated.shape != target.shape:
            raise ValueError(f"frames of different shapes {generated.shape} and {target.shape}")
        a, b = (
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
            for frame in (generated, target)
        )
        if self._previous is not None:
            change_a, change_b = a - self._previous[0], b - self._previous[1]
            still = np.abs(cv2.GaussianBlur(change_b, (0, 0), _SMOOTHING)) < STILL_BELOW
            self._generated += float(np.abs(change_a[still]).sum())
            self._target += float(np.abs(change_b[still]).sum())
            self._pixels += int(still.sum())
        self._previous = (a, b)

    @property
    def generated(self) -> float:
        """Mean change of the generated clip in still regions; NaN before two frames or without
        still pixels.
        """
        return self._generated / self._pixels if self._pixels else float("nan")

    @property
    def target(self) -> float:
        """Mean change of the target clip there."""
        return self._target / self._pixels if self._pixels else float("nan")

    @property
    def excess(self) -> float:
        """What the method added."""
        return self.generated - self.target
