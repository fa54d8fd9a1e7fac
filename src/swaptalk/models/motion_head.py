"""A small network that reads mouth motion from a speech recogniser's features: the mel encoder's
teacher in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS
from swaptalk.models.audio import TemporalBlock
from swaptalk.models.whisper import FEATURES


@dataclass(frozen=True)
class MotionHeadConfig:
    """Shape of the teacher's network. It is small, because it would learn few hours by heart."""

    features: int = FEATURES
    """Width of a feature."""
    motion_channels: int = MOTION_CHANNELS
    """Width of a motion token."""
    width: int = 160
    """Channels."""
    dilations: tuple[int, ...] = (1, 2, 4, 1, 2)
    """Dilations of the residual blocks at 25 features a second."""
    dropout: float = 0.3
    """Share of channels silenced in training."""
    input_dropout: float = 0.4
    """Share of the features silenced in training."""
    noise: float = 0.3
    """Noise on the features in training, in units of their spread."""


class MotionHead(nn.Module):
    """Features of sound -> motion tokens."""

    def __init__(self, config: MotionHeadConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MotionHeadConfig()
        self.input = nn.Sequential(
            nn.Dropout(config.input_dropout), nn.Linear(config.features, config.width)
        )
        self.blocks = nn.Sequential(
            *(TemporalBlock(config.width, d, config.dropout) for d in config.dilations)
        )
        self.output = nn.Conv1d(config.width, config.motion_channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, T, features), each with mean 0 and spread 1, -> tokens (N, T, D)."""
        if self.training:
            features = features + self.config.noise * torch.randn_like(features)
        x: Tensor = self.output(self.blocks(self.input(features).transpose(1, 2)))
        return x.transpose(1, 2)
