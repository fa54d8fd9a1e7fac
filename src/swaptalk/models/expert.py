"""The VQ-Lip expert (paper; after SyncNet, Chung & Zisserman 2016): do these embedded lips belong
to this sound?
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swaptalk.media.mel import MELS_PER_PICTURE, N_MELS
from swaptalk.models.blocks import LEAK, activation


@dataclass(frozen=True)
class ExpertConfig:
    """Shape of the expert."""

    latent_channels: int = 64
    """Width of the autoencoder's embeddings."""
    frames: int = 5
    """Consecutive video frames, as in SyncNet."""
    margin: int = 2
    """Further frames of sound on each side; lips move before the sound and after it."""
    width: int = 128
    """Channels of the picture tower on the 8 x 16 grid, doubled at 4 x 8 and again at 2 x 4."""
    audio_width: int = 192
    """Channels of the sound tower."""
    embedding: int = 256
    """Width of the common space."""
    dropout: float = 0.1
    """Share of features silenced before the last layer of each tower."""

    @property
    def mel_frames(self) -> int:
        """Mel frames of a window: from ``margin`` frames before the first picture to ``margin``
        after the last.
        """
        return MELS_PER_PICTURE * (self.frames + 2 * self.margin)


class VQLipExpert(nn.Module):
    """(Lower-half latents of 5 frames, mel window) -> cosine of their embeddings, -1..1.

    The upper half is left out, so that the expert cannot tell sync by nods and blinks. It reads
    embeddings instead of pixels, so the lip-sync network needs no decoding to learn from it. The
    mel window of frames t .. t + 4 starts at mel frame ``4 * (t - margin)``.
    """

    def __init__(self, config: ExpertConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ExpertConfig()
        width = config.width
        self.lips = nn.Sequential(
            nn.Conv2d(config.latent_channels * config.frames, width, 3, padding=1),
            activation(),
            _Residual(width),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            activation(),
            _Residual(2 * width),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
            activation(),
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(4 * width * 8, config.embedding),
        )
        sound = config.audio_width
        steps = config.mel_frames // MELS_PER_PICTURE
        self.sound = nn.Sequential(
            nn.Conv1d(N_MELS, sound, 5, padding=2),
            activation(),
            nn.Conv1d(sound, sound, 4, stride=2, padding=1),
            activation(),
            nn.Conv1d(sound, 2 * sound, 4, stride=2, padding=1),
            activation(),
            nn.Conv1d(2 * sound, 2 * sound, 3, padding=1),
            activation(),
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * sound * steps, config.embedding),
        )
        # Scale and shift of the logit (SigLIP, Zhai et al. 2023, arXiv 2303.15343): a bare cosine
        # saturates at +-1.
        self.log_scale = nn.Parameter(torch.tensor(2.0))
        self.shift = nn.Parameter(torch.tensor(-1.0))

    def embed_lips(self, lips: Tensor) -> Tensor:
        """Unit embeddings (N, D) of lower halves (N, 5, C, 8, 16)."""
        return F.normalize(self.lips(lips.flatten(1, 2)).float(), dim=1)

    def embed_sound(self, mel: Tensor) -> Tensor:
        """Unit embeddings (N, D) of mel windows (N, mel_frames, 80)."""
        return F.normalize(self.sound(mel.transpose(1, 2)).float(), dim=1)

    def logit(self, cosine: Tensor) -> Tensor:
        """Log-odds of "in sync" for cosines (N,)."""
        return cosine * self.log_scale.exp() + self.shift

    def forward(self, lips: Tensor, mel: Tensor) -> Tensor:
        """Cosine (N,) of each pair."""
        return (self.embed_lips(lips) * self.embed_sound(mel)).sum(dim=1)


class _Residual(nn.Module):
    """Two 3x3 convolutions added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, a=LEAK, nonlinearity="leaky_relu")
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> the same shape."""
        return F.leaky_relu(x + self.second(F.leaky_relu(self.first(x), LEAK)), LEAK)
