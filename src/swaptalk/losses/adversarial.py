"""Adversarial loss in its hinge form (Lim & Ye 2017, arXiv 1705.02894; used by VQGAN, Esser et al.
2021).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """Loss of the discriminator from its logits on real and generated pictures; a scalar.

    Logits above 1 on real and below -1 on generated pictures give no gradient.
    """
    return (F.relu(1 - real.float()).mean() + F.relu(1 + made.float()).mean()) / 2


def generator_loss(made: Tensor) -> Tensor:
    """Loss of the generator: minus the mean of the logits (N, 1, h, w) on its pictures."""
    return -made.float().mean()
