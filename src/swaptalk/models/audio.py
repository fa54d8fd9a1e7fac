"""The mel encoder: speech -> motion tokens."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS
from swaptalk.media.mel import N_MELS
from swaptalk.models.blocks import LEAK, activation, start_at_zero


@dataclass(frozen=True)
class AudioConfig:
    """Shape of the mel encoder. 25 tokens a second cost 0.2 GFLOP."""

    motion_channels: int = MOTION_CHANNELS
    """Width of a motion token."""
    width: int = 256
    """Channels."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2)
    """Dilations of the residual blocks at 25 tokens a second; the default sees 0.8 s each way."""
    dropout: float = 0.1
    """Share of channels silenced in training; there is little synchronous speech."""


class TemporalBlock(nn.Module):
    """Dilated convolution in time around an activation, added to the input; (N, width, T) -> the
    same shape.
    """

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv1d(width, width, 1)
        self.activation = activation()
        self.dropout = nn.Dropout1d(dropout)
        nn.init.kaiming_normal_(self.first.weight, a=LEAK, nonlinearity="leaky_relu")
        start_at_zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, T) -> (N, width, T)."""
        result: Tensor = x + self.second(self.dropout(self.activation(self.first(x))))
        return result


class MelEncoder(nn.Module):
    """Log-mel frames (100 a second) -> motion tokens (25 a second) in units of the training set's
    spread.
    """

    def __init__(self, config: AudioConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AudioConfig()
        self.stem = nn.Sequential(
            # Kernel 8, stride 4: token j reads mel frames 4 j - 2 .. 4 j + 5, then the blocks look
            # further.
            nn.Conv1d(N_MELS, config.width, 8, stride=4, padding=2),
            activation(),
        )
        self.blocks = nn.Sequential(
            *(TemporalBlock(config.width, d, config.dropout) for d in config.dilations)
        )
        self.output = nn.Conv1d(config.width, config.motion_channels, 1)

    def hidden(self, mel: Tensor) -> Tensor:
        """(N, M, 80) log-mel, M divisible by 4 -> (N, M / 4, width): what tokens are read from."""
        x: Tensor = self.blocks(self.stem(mel.transpose(1, 2)))
        return x.transpose(1, 2)

    def tokens(self, hidden: Tensor) -> Tensor:
        """(N, T, width) of `hidden` -> motion tokens (N, T, D)."""
        x: Tensor = self.output(hidden.transpose(1, 2))
        return x.transpose(1, 2)

    def forward(self, mel: Tensor) -> Tensor:
        """(N, M, 80) log-mel, M divisible by 4 -> (N, M / 4, D); token j belongs to the time j * 40
        ms.
        """
        return self.tokens(self.hidden(mel))
