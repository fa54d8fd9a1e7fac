"""Where two pictures of one face show the same structure."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Agreement(NamedTuple):
    """How two pictures are compared; lengths are standard deviations in pixels."""

    fine: float
    """Upper end of the band: finer structure does not count."""
    coarse: float
    """Lower end: coarser structure, light and shade, does not count."""
    reach: float
    """Of the neighbourhood in which they are compared."""
    least: float
    """Similarity (1 for the same, 0 for unrelated, -1 for the negative) up to which they do not
    agree at all."""
    full: float
    """Similarity from which they agree fully."""
    flat: float
    """Mean square of a band, grey levels, up to which it is flat: flat places agree."""

    def __call__(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Agreement (H, W) in 0..1 of two RGB pictures (H, W, 3) with even sides."""
        height, width = a.shape[0], a.shape[1]
        bands = []
        for picture in (a, b):
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            sharp = cv2.GaussianBlur(small.astype(np.float32), (0, 0), self.fine / 2)
            bands.append(sharp - cv2.GaussianBlur(sharp, (0, 0), self.coarse / 2))
        x, y = bands
        agreed = agreement_of_bands(x, y, self.reach / 2, self.flat, (self.least, self.full))
        return np.asarray(cv2.resize(agreed, (width, height)), np.float32)


def agreement_of_bands(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    reach: float,
    flat: float,
    limits: tuple[float, float],
) -> NDArray[np.float32]:
    """Agreement (H, W) in 0..1 of one band of two pictures, each (H, W).

    Args:
        a: of the one.
        b: of the other.
        reach: of the neighbourhood in which they are compared, pixels (standard deviation).
        flat: mean square up to which a band is flat: flat places agree.
        limits: similarity up to which they do not agree, and from which they agree fully.
    """
    both, power = (
        cv2.GaussianBlur(one, (0, 0), reach) + flat for one in (2 * a * b, a * a + b * b)
    )
    least, full = limits
    return np.asarray(np.clip((both / power - least) / (full - least), 0, 1), np.float32)
