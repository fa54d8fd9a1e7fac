"""Base of the landmark networks: a small picture of a part of the face -> its points."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from swaptalk.faces.geometry.part_view import VIEW_SIZE
from swaptalk.models.blocks import Downsample, ResidualBlock, activation, start_at_zero

#: The grid on which the points are read off, pixels of the view per cell.
_REDUCTION = 8


class PartPointModel(nn.Module):
    """Views -> points, as corrections of their mean.

    Args:
        width: channels at half of the view's size; twice and three times as many on the next two
            grids.
        features: features from which the points are read.
        mean: mean points (P, 2) float32 in the view's unit, see
            `swaptalk.faces.geometry.part_view.to_view`.
    """

    mean: Tensor

    def __init__(self, width: int, features: int, mean: NDArray[np.float32]) -> None:
        super().__init__()
        first, second, third = width, 2 * width, 3 * width
        cells = (VIEW_SIZE // _REDUCTION) ** 2
        self.trunk = nn.Sequential(
            Downsample(3, first),
            ResidualBlock(first),
            Downsample(first, second),
            ResidualBlock(second),
            Downsample(second, third),
            ResidualBlock(third),
            ResidualBlock(third),
            nn.Conv2d(third, first, 1),
            activation(),
            nn.Flatten(),
            nn.Linear(first * cells, features),
            activation(),
        )
        self.points = nn.Linear(features, 2 * len(mean))
        start_at_zero(self.points)
        self.register_buffer("mean", torch.from_numpy(mean))

    def forward(self, views: Tensor) -> Tensor:
        """Points (N, P, 2), in the view's unit, of RGB views (N, 64, 64, 3) in 0..255."""
        pictures = views.float().permute(0, 3, 1, 2) / 127.5 - 1
        moved: Tensor = self.points(self.trunk(pictures))
        return self.mean + moved.float().reshape(-1, len(self.mean), 2)
