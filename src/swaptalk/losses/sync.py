"""L_sync (paper; Prajwal et al. 2020, arXiv 2008.10010): synchrony by the frozen VQ-Lip expert."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from swaptalk.models.expert import VQLipExpert


def sync_loss(expert: VQLipExpert, lips: Tensor, mel: Tensor) -> Tensor:
    """Binary cross-entropy of "in sync" for generated lips.

    Args:
        expert: frozen; gradients flow through it to the lips.
        lips: lower halves (N, 5, C, 8, 16) of consecutive frames.
        mel: (N, M, 80) log-mel around them, see `VQLipExpert`.

    Returns:
        A scalar; log 2 where the expert cannot tell.
    """
    cosine = expert(lips, mel)
    return F.softplus(-expert.logit(cosine)).mean()
