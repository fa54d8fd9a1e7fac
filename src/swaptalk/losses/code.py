"""L_code (paper): the generated lower half's embedding shall be the real one's; around the mouth above all."""

from __future__ import annotations

import torch
from torch import Tensor

#: Rows and columns of the 8 x 16 lower half that show the mouth in the aligned crop, and their extra weight.
MOUTH_ROWS, MOUTH_COLUMNS, MOUTH_EXTRA = slice(2, 7), slice(4, 12), 2.0


def position_weights() -> Tensor:
    """Weight of each position of the lower half, (1, 1, 8, 16), with a mean of 1."""
    weight = torch.ones(1, 1, 8, 16)
    weight[..., MOUTH_ROWS, MOUTH_COLUMNS] += MOUTH_EXTRA
    return weight / weight.mean()


def code_loss(made: Tensor, real: Tensor) -> Tensor:
    """Weighted mean absolute difference of lower halves (N, C, 8, 16) before quantisation; a scalar.

    Absolute and not squared, because many mouths fit one sound: squared error ends in their mean, which is a blur.
    """
    weight = position_weights().to(made.device)
    return ((made.float() - real.float()).abs() * weight).mean()
