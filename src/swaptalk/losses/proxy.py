"""L_proxy (paper): smooth L1 between swapped latents and those of another swapper's result.

The proxy teaches attributes (pose, expression, light), not identity, so its distance is robust:
where the proxy's own faults make it an outlier, the gradient does not grow with the error.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Distance of a component, in units of its spread over the data (latents have spread 1), beyond
#: which it counts linearly.
BETA = 0.5
#: Rows and columns of the 16 x 16 grid that the face covers, and the weight of what surrounds it
#: relative to them.
FACE_ROWS, FACE_COLUMNS, SURROUNDINGS = slice(3, 16), slice(2, 14), 0.25


def face_weights() -> Tensor:
    """Weight of each position of the grid, (1, 1, 16, 16), with a mean of 1."""
    weight = torch.full((1, 1, 16, 16), SURROUNDINGS)
    weight[..., FACE_ROWS, FACE_COLUMNS] = 1.0
    return weight / weight.mean()


def proxy_loss(swapped: Tensor, proxy: Tensor, quality: Tensor) -> Tensor:
    """Smooth L1 of latents (N, C, 16, 16), each pair weighted by the quality (N,) 0..1 of its
    proxy; a scalar.

    Same-person pairs have the target itself as exact proxy and quality 1.
    """
    weight = face_weights().to(swapped.device)
    apart = F.smooth_l1_loss(swapped.float(), proxy.float(), beta=BETA, reduction="none")
    distance = 2 * (apart * weight).mean(dim=(1, 2, 3))
    return (distance * quality).sum() / quality.sum().clamp(min=1e-6)


def proxy_picture_loss(swapped: Tensor, proxy: Tensor, quality: Tensor) -> Tensor:
    """Mean absolute difference of decoded pictures (N, 3, H, W) at half resolution, weighted by
    quality (N,); a scalar.

    Keeps the identity losses from buying likeness with patterns that only a recogniser sees.
    """
    small = (F.avg_pool2d(picture.float(), 2) for picture in (swapped, proxy))
    a, b = small
    return ((a - b).abs().mean(dim=(1, 2, 3)) * quality).sum() / quality.sum().clamp(min=1e-6)
