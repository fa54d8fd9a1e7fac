"""L_geometry: difference of mouth openings and head pose of result and target. Our own.

Pictures and codes say the same, but a mouth is few of their pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS


def geometry_loss(regressor: nn.Module, swapped: Tensor, target: Tensor) -> Tensor:
    """`geometry_distance` of what the regressor reads from embeddings (N, C, 16, 16) of result and
    target; a scalar.

    Both are read alike, so an error that the regressor makes with both costs nothing.
    """
    with torch.no_grad():
        wanted = regressor(target)
    return geometry_distance(regressor(swapped), wanted)


def geometry_distance(read: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1 of geometry (N, GEOMETRY_CHANNELS); a scalar, of which openings and pose make up
    one half each.
    """
    parts = zip(
        *(x.float().tensor_split([ABSOLUTE_CHANNELS], dim=1) for x in (read, wanted)), strict=True
    )
    openings, pose = (F.smooth_l1_loss(a, b) for a, b in parts)
    return (openings + pose) / 2
