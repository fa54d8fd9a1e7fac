"""L_proxy (paper): the swapped embedding shall be the embedding of the same pair as another swapper made it.

The proxy teaches attributes (pose, expression, light), not identity, so its distance is robust: where the proxy's own
faults make it an outlier, the gradient does not grow with the error.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

#: Distance of a component, in units of its spread over the data (latents have spread 1), beyond which it counts
#: linearly.
BETA = 0.5


def proxy_loss(swapped: Tensor, proxy: Tensor, quality: Tensor) -> Tensor:
    """Smooth L1 of latents (N, C, H, W), each pair weighted by the quality (N,) 0..1 of its proxy; a scalar.

    Same-person pairs have the target itself as exact proxy and quality 1.
    """
    distance = F.smooth_l1_loss(swapped.float(), proxy.float(), beta=BETA, reduction="none").mean(dim=(1, 2, 3))
    return (distance * quality).sum() / quality.sum().clamp(min=1e-6)
