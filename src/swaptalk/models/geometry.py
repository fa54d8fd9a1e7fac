"""The geometry regressor: how far a mouth is open and where a head points, read from a face's
embedding.

Used in training alone, as a frozen judge: the face mesh that measures the same cannot pass a
gradient on.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS
from swaptalk.models.blocks import activation

#: What is read: the openings of the inner lips, yaw and pitch.
GEOMETRY_CHANNELS = ABSOLUTE_CHANNELS + 2


@dataclass(frozen=True)
class GeometryConfig:
    """Shape of the regressor; 20 MFLOP a face."""

    latent_channels: int = 64
    """Width of the autoencoder's embeddings."""
    width: int = 64
    """Channels on the 16 x 16 grid, doubled at 8 x 8 and again at 4 x 4."""


class GeometryRegressor(nn.Module):
    """Embedding (N, C, 16, 16) -> (N, GEOMETRY_CHANNELS) in units of the training set's spread,
    around its mean.
    """

    def __init__(self, config: GeometryConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GeometryConfig()
        width = config.width
        self.layers = nn.Sequential(
            nn.Conv2d(config.latent_channels, width, 3, padding=1),
            activation(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            activation(),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
            activation(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(4 * width * 16, 2 * width),
            activation(),
            nn.Linear(2 * width, GEOMETRY_CHANNELS),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(N, C, 16, 16) -> (N, GEOMETRY_CHANNELS)."""
        read: Tensor = self.layers(latents)
        return read
