"""Encoder and decoder of the learned watermark.

Encoder, noise and decoder learn together, as in HiDDeN (Zhu et al., "HiDDeN: Hiding data with deep
networks", 2018). The bits enter through a dense layer as a map, as in StegaStamp (Tancik et al.,
2020), and everything works at one small size, from which the change is enlarged to the frame, as in
VideoSeal (Fernandez et al., 2024). Unlike there, no loss looks at the change's size: it always has
the root mean square that is asked for, and is spread like the shipped mark's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Bits of an identifier.
BITS = 64
#: Side at which both networks work; frames are brought to this square, whatever their shape.
SIDE = 128
#: The mark grows with local contrast like the shipped one: so much in flat areas, so much for each
#: grey level of contrast, at most so much (grey levels; see `swaptalk.provenance.watermark_embed`).
_FLAT, _TEXTURE, _GREATEST = 0.7, 0.13, 3.0
#: Window of local contrast.
_WINDOW = 5
#: Squares whose mean is the content's lower frequencies, which the networks do not look at.
_COARSE = 4


def masking(grey: Tensor) -> Tensor:
    """How much change each place hides, (N, 1, H, W), relative; from grey levels 0..255 of the same
    shape.
    """
    half = _WINDOW // 2
    mean = F.avg_pool2d(grey, _WINDOW, 1, half, count_include_pad=False)
    square = F.avg_pool2d(grey * grey, _WINDOW, 1, half, count_include_pad=False)
    contrast = (square - mean * mean).clamp_min(0.01).sqrt()
    # Beside a strong edge lies a flat area that hides nothing.
    least = -F.max_pool2d(-contrast, 3, 1, 1)
    return F.avg_pool2d(
        (_FLAT + _TEXTURE * least).clamp_max(_GREATEST), _WINDOW, 1, half, count_include_pad=False
    )


def detail(grey: Tensor) -> Tensor:
    """Fine detail of grey levels (N, 1, H, W), about -1..1; sides divisible by 4."""
    coarse = F.interpolate(F.avg_pool2d(grey, _COARSE), scale_factor=_COARSE, mode="bilinear")
    return (grey - coarse) / 32


class Encoder(nn.Module):
    """From a picture and bits to a change of brightness."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.message = nn.Linear(BITS, SIDE * SIDE, bias=False)
        nn.init.normal_(self.message.weight, std=BITS**-0.5)
        self.mix = nn.Sequential(
            nn.Conv2d(2, width, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(width, 1, 3, padding=1)
        )

    def forward(self, grey: Tensor, bits: Tensor) -> Tensor:
        """Change (N, 1, SIDE, SIDE) of root mean square 1.

        Args:
            grey: (N, 1, SIDE, SIDE), 0..255.
            bits: (N, BITS) of -1 and 1.
        """
        with torch.no_grad():
            mask, fine = masking(grey), detail(grey)
        pattern = self.message(bits).reshape(-1, 1, SIDE, SIDE)
        change = pattern + self.mix(torch.cat([fine, pattern], dim=1))
        change = change / change.square().mean(dim=(2, 3), keepdim=True).sqrt().add(1e-6)
        shaped = change.clamp(-2.5, 2.5) * mask
        return shaped / shaped.square().mean(dim=(2, 3), keepdim=True).sqrt().add(1e-6)


class Decoder(nn.Module):
    """From a picture to the bits."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 5, 2, 2),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, width, 3, 2, 1),
            nn.LeakyReLU(0.1),
        )
        self.read = nn.Linear(width * (SIDE // 4) ** 2, BITS)

    def forward(self, grey: Tensor) -> Tensor:
        """Logits (N, BITS), positive for a 1; from grey levels (N, 1, SIDE, SIDE)."""
        logits: Tensor = self.read(self.layers(detail(grey)).flatten(1))
        return logits
