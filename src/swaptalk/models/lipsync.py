"""Lip-sync in VQ-embedding space: warp the reference's lower half to the target's pose, then let
the motion move it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS
from swaptalk.models.attention import CrossAttention
from swaptalk.models.blocks import Downsample, ResidualBlock, Upsample, activation, start_at_zero


@dataclass(frozen=True)
class LipSyncConfig:
    """Shape of the lip-sync module. The defaults cost 1.2 GFLOP a frame."""

    latent_channels: int = 64
    """Width of the autoencoder's embeddings."""
    motion_channels: int = MOTION_CHANNELS
    """Width of a motion token (see `swaptalk.faces.geometry.mouth_motion`)."""
    motion_window: int = 5
    """Motion tokens, 40 ms apart and centred on the frame, that a frame's mouth depends on."""
    warp_width: int = 96
    """Channels of the warping network's hourglass encoder."""
    widths: tuple[int, int] = (160, 256)
    """Channels of the lip transform's U-Net on the 8 x 16 and 4 x 8 grids."""
    token_width: int = 128
    """Width of a motion token inside the U-Net."""
    heads: int = 4
    """Attention heads."""


class FaceWarp(nn.Module):
    """Face warping (paper): where to read the reference's lower half so that it fits the target's
    pose.

    A shared hourglass encoder maps both upper halves; their difference gives an offset map, in grid
    positions, by which the reference's lower half is sampled.
    """

    def __init__(self, config: LipSyncConfig) -> None:
        super().__init__()
        width = config.warp_width
        self.stem = nn.Sequential(
            nn.Conv2d(config.latent_channels, width, 3, padding=1), activation()
        )
        self.down = nn.Sequential(Downsample(width, width), ResidualBlock(width))
        self.up = Upsample(width, width)
        self.fuse = ResidualBlock(width)
        self.decide = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            activation(),
            Downsample(width, width),
            ResidualBlock(width),
            Upsample(width, width),
        )
        self.offset = nn.Conv2d(width, 2, 3, padding=1)
        start_at_zero(self.offset)

    def encode(self, upper: Tensor) -> Tensor:
        """Hourglass features (N, width, 8, 16) of an upper half (N, C, 8, 16)."""
        fine = self.stem(upper)
        features: Tensor = self.fuse(fine + self.up(self.down(fine)))
        return features

    def forward(
        self, target_upper: Tensor, reference_upper: Tensor, reference_lower: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Three halves (N, C, 8, 16) -> the warped lower half (N, C, 8, 16) and the difference (N,
        width, 8, 16).
        """
        difference = self.encode(target_upper) - self.encode(reference_upper)
        offset = self.offset(self.decide(difference)).float()
        height, width = reference_lower.shape[2:]
        rows = (
            torch.arange(height, device=offset.device, dtype=offset.dtype).view(1, height, 1)
            + offset[:, 1]
        )
        columns = (
            torch.arange(width, device=offset.device, dtype=offset.dtype).view(1, 1, width)
            + offset[:, 0]
        )
        # grid_sample wants pixel edges at -1 and 1 (align_corners=False).
        grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
        warped = F.grid_sample(
            reference_lower.float(),
            grid,
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        return warped, difference


class MotionBlock(nn.Module):
    """A residual block followed by cross-attention to the motion tokens (K, V), one level of the
    lip transform.
    """

    def __init__(self, width: int, config: LipSyncConfig) -> None:
        super().__init__()
        self.block = ResidualBlock(width)
        self.norm = nn.LayerNorm(width)
        self.attention = CrossAttention(width, config.token_width, config.heads)
        self.modulate = nn.Linear(config.token_width * config.motion_window, 2 * width)
        start_at_zero(self.modulate)
        start_at_zero(self.attention.output)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """(N, width, H, W) and tokens (N, W, token_width) -> (N, width, H, W).

        Attention weighs the tokens but averages over them; the scale and shift from all tokens
        together (FiLM, arXiv 1709.07871) let a single mouth shape act everywhere at once.
        """
        n, width, height, columns = x.shape
        scale, shift = self.modulate(tokens.flatten(1)).chunk(2, dim=1)
        x = self.block(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        flat = x.flatten(2).transpose(1, 2)
        flat = flat + self.attention(self.norm(flat), tokens)
        result: Tensor = flat.transpose(1, 2).reshape(n, width, height, columns)
        return result


class LipSync(nn.Module):
    """Face warping and lip transform (paper, "Lip-sync module").

    The lip transform is a U-Net over the warped lower half whose levels cross-attend to the tokens
    that say how the mouth moves. The tokens are motion tokens: measured from landmarks in training,
    predicted from sound when running.
    """

    def __init__(self, config: LipSyncConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LipSyncConfig()
        fine, coarse = config.widths
        self.warp = FaceWarp(config)
        self.token = nn.Sequential(
            nn.Linear(config.motion_channels, config.token_width),
            nn.ReLU(),
            nn.Linear(config.token_width, config.token_width),
        )
        self.time = nn.Parameter(torch.randn(1, config.motion_window, config.token_width) * 0.02)
        self.stem = nn.Conv2d(config.latent_channels * 2 + config.warp_width, fine, 3, padding=1)
        self.enter = MotionBlock(fine, config)
        self.down = Downsample(fine, coarse)
        self.middle = nn.ModuleList(MotionBlock(coarse, config) for _ in range(2))
        self.up = Upsample(coarse, fine)
        self.leave = nn.ModuleList(MotionBlock(fine, config) for _ in range(2))
        self.output = nn.Conv2d(fine, config.latent_channels, 3, padding=1)
        start_at_zero(self.output)

    def forward(self, target: Tensor, reference: Tensor, motion: Tensor) -> Tensor:
        """Give the target a new lower half.

        Args:
            target: latents (N, C, 16, 16); only the upper half is read.
            reference: latents (N, C, 16, 16) of another frame of the same person.
            motion: motion tokens (N, W, D) around the frame, see
                `swaptalk.faces.geometry.mouth_motion`.

        Returns:
            Latents (N, C, 16, 16): the target's own upper half above the new lower half.
        """
        upper, _ = target.chunk(2, dim=2)
        reference_upper, reference_lower = reference.chunk(2, dim=2)
        warped, difference = self.warp(upper, reference_upper, reference_lower)
        tokens = self.token(motion) + self.time
        x = self.stem(torch.cat([warped, upper, difference], dim=1))
        fine = self.enter(x, tokens)
        x = self.down(fine)
        for block in self.middle:
            x = block(x, tokens)
        x = fine + self.up(x)
        for block in self.leave:
            x = block(x, tokens)
        return torch.cat([upper, warped + self.output(x)], dim=2)
