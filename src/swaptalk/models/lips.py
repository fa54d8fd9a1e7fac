"""The lip network: a small picture of a mouth -> the 40 points of its lips."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swaptalk.faces.geometry.lip_view import VIEW_SIZE, lip_region, to_view
from swaptalk.faces.geometry.topology import CANONICAL_MESH, LIPS
from swaptalk.models.blocks import Downsample, ResidualBlock, activation, start_at_zero

#: The grid on which the points are read off, pixels of the view per cell.
_REDUCTION = 8


@dataclass(frozen=True)
class LipConfig:
    """Shape of the lip network."""

    width: int = 32
    """Channels at half of the view's size; twice and three times as many on the next two grids."""
    features: int = 128
    """Features from which the points are read."""


class LipModel(nn.Module):
    """Views -> lip points, as corrections of the mean mouth."""

    mean: Tensor

    def __init__(self, config: LipConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LipConfig()
        first, second, third = config.width, 2 * config.width, 3 * config.width
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
            nn.Linear(first * cells, config.features),
            activation(),
        )
        self.points = nn.Linear(config.features, 2 * len(LIPS))
        start_at_zero(self.points)
        canonical = CANONICAL_MESH.astype("float32")
        self.register_buffer(
            "mean", torch.from_numpy(to_view(canonical[LIPS], lip_region(canonical)))
        )

    def forward(self, views: Tensor) -> Tensor:
        """Lip points (N, 40, 2) of RGB views (N, 64, 64, 3) in 0..255.

        Points are in the view's unit, see `swaptalk.faces.geometry.lip_view.to_view`, ordered as
        `swaptalk.faces.geometry.topology.LIPS`.
        """
        pictures = views.float().permute(0, 3, 1, 2) / 127.5 - 1
        moved: Tensor = self.points(self.trunk(pictures))
        return self.mean + moved.float().reshape(-1, len(LIPS), 2)
