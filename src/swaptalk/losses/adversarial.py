"""Adversarial loss in its hinge form (Lim & Ye 2017, arXiv 1705.02894; used by VQGAN, Esser et al.
2021).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """What the discriminator minimises, from its logits on real and on made pictures (any shapes);
    a scalar.

    Logits beyond 1 on real and below -1 on made pictures are good enough and give no gradient.
    """
    return (F.relu(1 - real.float()).mean() + F.relu(1 + made.float()).mean()) / 2


def generator_loss(made: Tensor) -> Tensor:
    """What the generator minimises: minus the mean logit on its pictures."""
    return -made.float().mean()
