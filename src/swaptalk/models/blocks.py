"""Building blocks shared by the convolutional networks.

The networks carry no normalisation layers: on a CPU they cost a pass over memory each, and without
them the trained weights are exactly the weights that ONNX Runtime reads. Residual branches start at
zero instead (Zhang et al. 2019, "Fixup", arXiv 1901.09321), and the activation is one that ONNX
Runtime fuses into the convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

#: Slope of the leaky ReLU for negative inputs.
LEAK = 0.1


def activation() -> nn.Module:
    """The activation used everywhere: a leaky ReLU."""
    return nn.LeakyReLU(LEAK)


def start_at_zero(layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> None:
    """Let a layer's output be zero when training starts."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an activation, added to the input; the identity when training
    starts.

    Args:
        width: channels in and out; (N, width, H, W) -> the same shape.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.activation = activation()
        nn.init.kaiming_normal_(self.first.weight, a=LEAK, nonlinearity="leaky_relu")
        start_at_zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        result: Tensor = self.activation(x + self.second(self.activation(self.first(x))))
        return result


class Downsample(nn.Sequential):
    """Halve height and width: each 2x2 square becomes channels, then a 1x1 convolution mixes
    them.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(nn.PixelUnshuffle(2), nn.Conv2d(4 * width_in, width_out, 1), activation())


class Upsample(nn.Sequential):
    """Double height and width: a 1x1 convolution makes four pixels of each, then they are laid
    out.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(nn.Conv2d(width_in, 4 * width_out, 1), nn.PixelShuffle(2), activation())
