"""Distance of a swap's result to the real picture that is its answer, in the embedding and as a
picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Distance of a component of an embedding, whose spread over the data is 1, beyond which it counts
#: linearly.
BETA = 0.5
#: Weight of what surrounds the face, relative to it.
SURROUNDINGS = 0.25


def answer_loss(result: Tensor, answer: Tensor, area: Tensor, weight: Tensor) -> Tensor:
    """Smooth L1 of latents, the face counting more than its surroundings.

    Args:
        result: (N, C, 16, 16).
        answer: the same shape.
        area: (N, 1, H, W) in 0..1, where the face is.
        weight: (N,) of each answer.

    Returns:
        A scalar, 0 for equal latents.
    """
    cells = SURROUNDINGS + F.adaptive_avg_pool2d(area, result.shape[-1])
    cells = cells / cells.mean(dim=(2, 3), keepdim=True)
    apart = F.smooth_l1_loss(result.float(), answer.float(), beta=BETA, reduction="none")
    return (2 * (apart * cells).mean(dim=(1, 2, 3)) * weight).mean()


def answer_picture_loss(result: Tensor, answer: Tensor, area: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of pictures (N, 3, H, W) in [-1, 1], weighted as in `answer_loss`; a
    scalar.
    """
    pixels = SURROUNDINGS + F.interpolate(
        area, result.shape[-2:], mode="bilinear", align_corners=False
    )
    apart = (result.float() - answer.float()).abs()
    return torch.mean((apart * pixels).mean(dim=(1, 2, 3)) * weight)
