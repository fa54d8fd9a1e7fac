"""PSNR: peak signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Value reported for equal pictures, where the formula is infinite: above anything 8-bit pictures
#: that differ in a single pixel of 4K can reach (about 120 dB), and it keeps means over frames
#: finite.
EQUAL_PICTURES_DB = 130.0


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """10 log10(255^2 / mean squared difference over pixels and channels), in dB; higher is better,
    30 to 45 is usual.

    Args:
        a: picture (H, W) or (H, W, 3) uint8.
        b: picture of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"pictures of different shapes {a.shape} and {b.shape}")
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return EQUAL_PICTURES_DB if error == 0 else 10.0 * float(np.log10(255.0**2 / error))
