"""Reconstruction: L1 at full and at quarter resolution, with mouth and eyes weighted up (paper:
"L1").

The face's surroundings are most of the pixels and least of what people look at; teeth, lips and
eyes are the reverse. Because every crop is aligned, fixed regions find them. The second level of
the pyramid keeps broad colour right, which perceptual and adversarial losses leave free.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swaptalk.faces.geometry.align import CROP_SIZE

#: Centre (x, y) and half axes of the regions in the aligned crop, pixels, and what each adds to the
#: weight of 1.
REGIONS = (
    ((128.0, 190.0), (45.0, 28.0), 2.0),  # mouth
    ((83.0, 97.0), (32.0, 16.0), 1.2),  # the subject's right eye
    ((173.0, 97.0), (32.0, 16.0), 1.2),  # left eye
)
#: Resolution of the pyramid's second level: one pixel of four by four.
COARSE = 4


def region_weights(size: int = CROP_SIZE) -> Tensor:
    """Weight of each pixel, (1, 1, size, size), with a mean of 1: soft-edged ellipses on mouth and
    eyes.
    """
    axis = torch.arange(size, dtype=torch.float32) * (CROP_SIZE / size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    weight = torch.ones(size, size)
    for (cx, cy), (width, height), extra in REGIONS:
        radius = ((x - cx) / width) ** 2 + ((y - cy) / height) ** 2
        weight += extra * torch.exp(-(radius**2))
    return (weight / weight.mean())[None, None]


class ReconstructionLoss(nn.Module):
    """Region-weighted L1 between pictures (N, 3, S, S) in [-1, 1].

    Args:
        size: S.
    """

    weight: Tensor

    def __init__(self, size: int = CROP_SIZE) -> None:
        super().__init__()
        self.register_buffer("weight", region_weights(size), persistent=False)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Weighted mean absolute difference, a scalar."""
        return ((prediction.float() - target.float()).abs() * self.weight).mean()


def coarse_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the pictures (N, 3, S, S) averaged over 4 x 4 pixels, a
    scalar.
    """
    small = (F.avg_pool2d(picture.float(), COARSE) for picture in (prediction, target))
    a, b = small
    return (a - b).abs().mean()
