"""L_code (paper): weighted smooth L1 between generated and real lower-half latents."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Rows and columns of the 8 x 16 lower half that jaw and mouth cover, and their weights beside that
#: of the rest.
JAW, JAW_WEIGHT = (slice(0, 7), slice(3, 13)), 1.0
MOUTH, MOUTH_WEIGHT = (slice(2, 6), slice(4, 12)), 1.6
REST_WEIGHT = 0.4
#: Distance of a component, in units of its spread, beyond which it counts linearly: many mouths fit
#: one sound, and squared errors end in their mean, which is a blur.
BETA = 0.5


def position_weights() -> Tensor:
    """Weight of each position of the lower half, (1, 1, 8, 16), with a mean of 1."""
    weight = torch.full((1, 1, 8, 16), REST_WEIGHT)
    weight[(..., *JAW)] = JAW_WEIGHT
    weight[(..., *MOUTH)] = MOUTH_WEIGHT
    return weight / weight.mean()


def code_loss(made: Tensor, real: Tensor) -> Tensor:
    """Weighted smooth L1 of lower halves (N, C, 8, 16) before quantisation; a scalar."""
    apart = F.smooth_l1_loss(made.float(), real.float(), beta=BETA, reduction="none")
    return 2 * (apart * position_weights().to(made.device)).mean()
