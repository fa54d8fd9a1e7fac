"""The project's own sync network, for reports only: do these pixels of a mouth belong to this
sound?

After SyncNet (Chung & Zisserman 2016), small enough for a CPU. It reads grey pixels and mel, so it
shares nothing with the networks that it judges, and it takes part in no loss. Its numbers carry its
own name, never LSE.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swaptalk.faces.geometry.mouth_view import VIEW_HEIGHT, VIEW_WIDTH
from swaptalk.media.mel import N_MELS
from swaptalk.models.blocks import Downsample, ResidualBlock, activation

#: Video frames, and mel frames, of one window: 0.2 s, as in SyncNet.
WINDOW, MEL_WINDOW = 5, 20
#: Neighbouring pictures that the first layer sees together.
_STACK = 3
#: Space-to-depth of the first layer; the grid is halved once more.
_UNSHUFFLE, _DOWNSAMPLING = 8, 16


@dataclass(frozen=True)
class SyncScorerConfig:
    """Shape of the sync network."""

    width: int = 32
    """Channels of the picture tower on the 6 x 12 grid, doubled at 3 x 6."""
    frame_features: int = 128
    """Features of one picture."""
    audio_width: int = 128
    """Channels of the sound tower's first layer; the next have a quarter and a half more."""
    embedding: int = 128
    """Width of the common space."""
    dropout: float = 0.1
    """Share of features silenced before the last layers."""


class SyncScorerNetwork(nn.Module):
    """Mouth views and mel of a clip -> unit embeddings of all their windows of 0.2 s.

    Both towers are convolutions without padding in time, so a window's embedding depends on nothing
    outside of it, and a clip costs no more than its frames.
    """

    def __init__(self, config: SyncScorerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SyncScorerConfig()
        width = config.width
        cells = (VIEW_HEIGHT // _DOWNSAMPLING) * (VIEW_WIDTH // _DOWNSAMPLING)
        self.frames = nn.Sequential(
            nn.PixelUnshuffle(_UNSHUFFLE),
            nn.Conv2d(_STACK * _UNSHUFFLE**2, width, 1),
            activation(),
            ResidualBlock(width),
            Downsample(width, 2 * width),
            ResidualBlock(2 * width),
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * width * cells, config.frame_features),
            activation(),
        )
        hidden = config.frame_features * 3 // 2
        self.lips = nn.Sequential(
            nn.Conv1d(config.frame_features, hidden, WINDOW - _STACK + 1),
            activation(),
            nn.Dropout(config.dropout),
            nn.Conv1d(hidden, config.embedding, 1),
        )
        first, second, third = (
            config.audio_width,
            config.audio_width * 5 // 4,
            config.audio_width * 3 // 2,
        )
        # Seen mel frames: 3, then 6, 12 and 20; one output for every four, which is one video
        # frame.
        self.sound = nn.Sequential(
            nn.Conv1d(N_MELS, first, 3),
            activation(),
            nn.Conv1d(first, second, 4, stride=2),
            activation(),
            nn.Conv1d(second, third, 4, stride=2),
            activation(),
            nn.Conv1d(third, third, 3),
            activation(),
            nn.Dropout(config.dropout),
            nn.Conv1d(third, config.embedding, 1),
        )
        #: Logarithm of the factor between cosine and logit.
        self.log_scale = nn.Parameter(torch.tensor(2.3))

    def embed_lips(self, views: Tensor) -> Tensor:
        """Unit embeddings (N, T - 4, D) of grey mouth views (N, T, 48, 96) in -1..1, T >= 5."""
        stacked = views.unfold(1, _STACK, 1).permute(0, 1, 4, 2, 3)  # (N, T - 2, 3, 48, 96)
        features = self.frames(stacked.flatten(0, 1)).reshape(*stacked.shape[:2], -1)
        return F.normalize(self.lips(features.transpose(1, 2)).transpose(1, 2).float(), dim=-1)

    def embed_sound(self, mel: Tensor) -> Tensor:
        """Unit embeddings (N, T - 4, D) of log-mel (N, 4 T, 80): window t begins at mel frame 4
        t.
        """
        return F.normalize(self.sound(mel.transpose(1, 2)).transpose(1, 2).float(), dim=-1)

    def forward(self, views: Tensor, mel: Tensor) -> Tensor:
        """Logits (N, W, W) of every window of lips against every window of sound of the same
        clip.
        """
        cosines = self.embed_lips(views) @ self.embed_sound(mel).transpose(1, 2)
        return cosines * self.log_scale.exp()
