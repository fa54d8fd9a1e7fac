"""The restoration network: brings a decoded face nearer to a real picture, with real pixels of the
same person beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swaptalk.models.blocks import Downsample, ResidualBlock, Upsample, activation, start_at_zero

#: Pictures that go in, three channels each, and the mask.
CHANNELS_IN = 3 * 3 + 1


@dataclass(frozen=True)
class RestorationConfig:
    """Shape of the network. The defaults cost 2.7 GFLOP a face of 256 px."""

    patch: int = 2
    """Pixels a side that the first layer turns into channels, and the last layer back."""
    widths: tuple[int, ...] = (24, 48, 96)
    """Channels at each resolution, finest first; each further entry halves it."""
    blocks: tuple[int, ...] = (1, 2, 2)
    """Residual blocks at each resolution, finest first, on the way down."""


class RestorationNetwork(nn.Module):
    """A small U-Net (Ronneberger et al. 2015, arXiv 1505.04597) whose output is added to the
    restored face: before training nothing changes.
    """

    def __init__(self, config: RestorationConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RestorationConfig()
        widths, square = config.widths, config.patch**2
        self.first = nn.Sequential(
            nn.PixelUnshuffle(config.patch),
            nn.Conv2d(CHANNELS_IN * square, widths[0], 3, padding=1),
            activation(),
        )
        down, up = [], []
        for level, (width, blocks) in enumerate(zip(widths, config.blocks, strict=True)):
            layers: list[nn.Module] = [Downsample(widths[level - 1], width)] if level else []
            down.append(nn.Sequential(*layers, *(ResidualBlock(width) for _ in range(blocks))))
            if level:
                up.append(Upsample(width, widths[level - 1]))
        self.down = nn.ModuleList(down)
        self.up = nn.ModuleList(up)
        self.join = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.head = nn.Sequential(
            nn.Conv2d(widths[0], 3 * square, 3, padding=1), nn.PixelShuffle(config.patch)
        )
        last = self.head[0]
        assert isinstance(last, nn.Conv2d)
        start_at_zero(last)

    def forward(self, face: Tensor, restored: Tensor, guide: Tensor, mask: Tensor) -> Tensor:
        """The face (N, 3, H, W) as it should look, about [-1, 1], not clipped.

        Args:
            face: (N, 3, H, W) in [-1, 1], as decoded.
            restored: the same, with fine structure and mouth restored by the classical way.
            guide: (N, 3, H, W) in [-1, 1], real pixels of the person where they belong.
            mask: (N, 1, H, W) in 0..1, where the guide shows that person.
        """
        x = self.first(torch.cat([face, restored, guide, 2 * mask - 1], dim=1))
        skipped: list[Tensor] = []
        for level in self.down:
            x = level(x)
            skipped.append(x)
        x = skipped.pop()
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            x = join(skipped.pop() + up(x))
        change: Tensor = self.head(x)
        return restored + change
