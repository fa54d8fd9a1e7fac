"""The occlusion network: an aligned face -> where something lies in front of it (a small U-Net)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swaptalk.models.blocks import Downsample, ResidualBlock, activation, start_at_zero


@dataclass(frozen=True)
class OcclusionConfig:
    """Shape of the occlusion network."""

    widths: tuple[int, ...] = (16, 24, 48, 80)
    """Channels at 1/2, 1/4, 1/8 and 1/16 of the view's size."""
    deep_blocks: int = 2
    """Residual blocks on the coarsest grid, which sees the whole face."""


class OcclusionModel(nn.Module):
    """Views -> logit of being covered, on a grid of half the view's size."""

    def __init__(self, config: OcclusionConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or OcclusionConfig()
        widths = config.widths
        self.stem = nn.Sequential(Downsample(3, widths[0]), _mixing(widths[0], widths[0]))
        self.down = nn.ModuleList(
            nn.Sequential(Downsample(fine, coarse), ResidualBlock(coarse))
            for fine, coarse in zip(widths, widths[1:], strict=False)
        )
        self.deep = nn.Sequential(*(ResidualBlock(widths[-1]) for _ in range(config.deep_blocks)))
        self.narrow = nn.ModuleList(
            nn.Conv2d(coarse, fine, 1) for fine, coarse in zip(widths, widths[1:], strict=False)
        )
        self.mix = nn.ModuleList(_mixing(fine, fine) for fine in widths[:-1])
        self.logit = nn.Conv2d(widths[0], 1, 1)
        start_at_zero(self.logit)

    def forward(self, views: Tensor) -> Tensor:
        """Logits (N, S / 2, S / 2) of RGB views (N, S, S, 3) in 0..255; S is a multiple of 16."""
        x = self.stem(views.float().permute(0, 3, 1, 2) / 127.5 - 1)
        skipped = []
        for down in self.down:
            skipped.append(x)
            x = down(x)
        x = self.deep(x)
        for narrow, mix, skip in zip(
            reversed(self.narrow), reversed(self.mix), reversed(skipped), strict=True
        ):
            x = mix(nn.functional.interpolate(narrow(x), scale_factor=2.0) + skip)
        return torch.squeeze(self.logit(x), 1)


def _mixing(width_in: int, width_out: int) -> nn.Sequential:
    """A 3x3 convolution and the activation."""
    return nn.Sequential(nn.Conv2d(width_in, width_out, 3, padding=1), activation())
