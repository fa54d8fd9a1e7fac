"""SSIM: structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004, IEEE TIP 13(4))."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: The paper's window: 11 x 11 Gaussian with sigma 1.5.
_WINDOW, _SIGMA = 11, 1.5
#: The paper's K1 and K2 times the range of 8-bit values, squared.
_C1, _C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean over windows of (2 ma mb + C1)(2 sab + C2) / ((ma^2 + mb^2 + C1)(sa^2 + sb^2 + C2));
    colours are averaged.

    m, s^2 and sab are Gaussian-weighted means, variances and covariance (biased, as in the paper).
    Only windows that lie inside the picture count. -1..1, 1 for equal pictures, higher is better.
    Equals scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255)``.

    Args:
        a: picture (H, W) or (H, W, 3) uint8, H and W >= 11.
        b: picture of the same shape.

    Raises:
        ValueError: the shapes differ or a side is shorter than the window.
    """
    if a.shape != b.shape:
        raise ValueError(f"pictures of different shapes {a.shape} and {b.shape}")
    if min(a.shape[:2]) < _WINDOW:
        raise ValueError(
            f"a picture of {a.shape[1]} x {a.shape[0]} pixels is smaller than SSIM's window of "
            f"{_WINDOW}"
        )
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x = _smooth(x * x) - mean_x * mean_x
    variance_y = _smooth(y * y) - mean_y * mean_y
    covariance = _smooth(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    denominator = (mean_x * mean_x + mean_y * mean_y + _C1) * (variance_x + variance_y + _C2)
    inside = _WINDOW // 2
    return float((numerator / denominator)[inside:-inside, inside:-inside].mean())


def _smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA), np.float64)
