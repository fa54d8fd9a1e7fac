"""The patch discriminator of the autoencoder's adversarial loss (Isola et al. 2017, arXiv
1611.07004).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from swaptalk.models.blocks import LEAK


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Shape of the discriminator. The defaults cost 1.2 GFLOP a picture of 256 px."""

    patch: int = 2
    """Pixels a side that the first layer turns into channels."""
    widths: tuple[int, ...] = (48, 96, 192)
    """Channels of the layers; each after the first halves the resolution."""


class PatchDiscriminator(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] -> logits (N, 1, H / 8, W / 8), one for each patch of about
    40 px.

    Patches judge texture (teeth, skin, lashes), which L1 blurs; shape is the other losses'
    business. Spectral norms (Miyato et al. 2018, arXiv 1802.05957) keep it from winning at once.
    """

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DiscriminatorConfig()
        widths = config.widths
        layers: list[nn.Module] = [nn.PixelUnshuffle(config.patch)]
        before = 3 * config.patch**2
        for index, width in enumerate(widths):
            stride = 1 if index == 0 else 2
            layers += [
                _normed(before, width, 4 if stride == 2 else 3, stride),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
            before = width
        self.body = nn.Sequential(*layers)
        self.head = _normed(before, 1, 3, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, 1, h, w) of pictures (N, 3, H, W): positive where a patch looks real."""
        logits: Tensor = self.head(self.body(pictures))
        return logits


def _normed(width_in: int, width_out: int, kernel: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(width_in, width_out, kernel, stride, padding=1)
    nn.init.kaiming_normal_(convolution.weight, a=LEAK, nonlinearity="leaky_relu")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    module: nn.Module = spectral_norm(convolution)
    return module


def frozen_logits(discriminator: nn.Module, pictures: Tensor) -> Tensor:
    """Logits (N, 1, h, w) of pictures (N, 3, H, W) whose gradient reaches the pictures but not the
    discriminator's weights.

    The weights' gradients would be thrown away, and under distributed training they would be
    exchanged first. So a network that the loop has wrapped is taken out of its wrapper.
    """
    plain: nn.Module = getattr(discriminator, "module", discriminator)
    state = {name: value.detach() for name, value in plain.named_parameters()}
    logits: Tensor = torch.func.functional_call(plain, state, (pictures,))
    return logits
