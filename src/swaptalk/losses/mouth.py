"""Losses on decoded mouths: pictures of equally distant latents differ in quality.

LatentSync (arXiv 2412.09262) measured the same for sync experts: pixels teach more than latents.
"""

from __future__ import annotations

from torch import Tensor

from swaptalk.losses.lpips import LPIPS

#: The mouth and its surroundings in the aligned crop: rows and columns.
MOUTH_ROWS, MOUTH_COLUMNS = slice(138, 234), slice(64, 192)


def mouth(faces: Tensor) -> Tensor:
    """The mouths (N, 3, 96, 128) of faces (N, 3, 256, 256)."""
    return faces[..., MOUTH_ROWS, MOUTH_COLUMNS]


def mouth_loss(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of the mouths of faces (N, 3, 256, 256) in [-1, 1]; a scalar."""
    return (mouth(made).float() - mouth(real).float()).abs().mean()


def mouth_perceptual_loss(lpips: LPIPS, made: Tensor, real: Tensor) -> Tensor:
    """Mean LPIPS of the mouths of faces (N, 3, 256, 256) in [-1, 1]; a scalar."""
    distance: Tensor = lpips(mouth(made), mouth(real))
    return distance.mean()
