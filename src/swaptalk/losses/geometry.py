"""L_geometry: the swapped face opens its mouth and points its head as the target does. Our own.

Proxies say the same picture by picture, but a mouth is a few pixels of them: without this the swap closes open mouths
and lowers heads, as most photos of the source show them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def geometry_loss(regressor: nn.Module, swapped: Tensor, target: Tensor) -> Tensor:
    """Smooth L1 between what the regressor reads from embeddings (N, C, 16, 16) of result and target; a scalar.

    Both are read alike, so an error that the regressor makes with both costs nothing.
    """
    with torch.no_grad():
        wanted = regressor(target)
    return F.smooth_l1_loss(regressor(swapped).float(), wanted.float())
