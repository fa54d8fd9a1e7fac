"""What happens to a picture between encoder and decoder while they learn: differentiable likenesses
of attacks.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: Side of the blocks that are quantised. A small video has about twice as many pixels a side as the
#: networks see: what is a block of 8 in H.264 is one of 4 here.
_BLOCK = 4


def _cosines() -> Tensor:
    """Orthonormal DCT-II, (4, 4)."""
    k, n = torch.arange(_BLOCK)[:, None], torch.arange(_BLOCK)[None]
    table = torch.cos(math.pi * (2 * n + 1) * k / (2 * _BLOCK)) * math.sqrt(2 / _BLOCK)
    table[0] /= math.sqrt(2)
    return table


def quantised(grey: Tensor, step: Tensor) -> Tensor:
    """Blocks of 4 x 4 through a quantised DCT; the gradient passes where a coefficient survives.

    Args:
        grey: (N, 1, H, W), sides divisible by 4.
        step: quantiser (N,), grey levels of a coefficient; higher frequencies get up to three times
            as much.
    """
    n, _, height, width = grey.shape
    table = _cosines()
    blocks = grey.reshape(n, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).transpose(2, 3)
    waves = table @ blocks @ table.T
    k = torch.arange(_BLOCK) / (_BLOCK - 1)
    steps = step[:, None, None, None, None] * (1 + k[:, None] + k[None])
    scaled = waves / steps
    # Encoders round towards zero: a coefficient below two thirds of a step is dropped.
    rounded = torch.sign(scaled) * torch.floor(scaled.abs() + 1 / 3)
    kept = scaled * (rounded != 0)
    coded = (kept + (rounded - kept).detach()) * steps
    back = table.T @ coded @ table
    return back.transpose(2, 3).reshape(n, 1, height, width)


def cropped(grey: Tensor, least: float, share: float) -> Tensor:
    """Cut ``share`` of the pictures (N, 1, H, W) to between ``least`` and all of each side; the
    same shape again.
    """
    picked = torch.nonzero(torch.rand(len(grey)) < share)[:, 0]
    if not len(picked):
        return grey
    zoom = least + (1 - least) * torch.rand(len(picked))
    theta = torch.zeros(len(picked), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = (1 - zoom)[:, None] * (2 * torch.rand(len(picked), 2) - 1)
    part = grey[picked]
    grid = F.affine_grid(theta, list(part.shape), align_corners=False)
    return grey.index_copy(
        0, picked, F.grid_sample(part, grid, padding_mode="border", align_corners=False)
    )


def attacked(marked: Tensor, strength: float, crops: float) -> Tensor:
    """Brightness, quantisation, blur, grain and cropping of pictures (N, 1, H, W), grey levels
    0..255; the same shape.

    Args:
        marked: sides divisible by 4.
        strength: 0: nothing; 1: as strong as what is measured.
        crops: share of pictures that are cropped.
    """
    if strength <= 0:
        return marked
    n = len(marked)
    bright = 1 + (torch.rand(n) < 0.25).float() * 0.5
    picture = (marked * bright[:, None, None, None]).clamp(0, 255)
    picture = quantised(picture, 1.0 + 24.0 * strength * torch.rand(n) ** 2)
    soft = torch.nonzero(torch.rand(n) < 0.3)[:, 0]
    if len(soft):
        blurred = F.avg_pool2d(F.pad(picture[soft], (1, 1, 1, 1), mode="replicate"), 3, 1)
        picture = picture.index_copy(0, soft, blurred)
    picture = picture + 2 * strength * torch.randn_like(picture)
    return cropped(picture, 0.8, crops)
