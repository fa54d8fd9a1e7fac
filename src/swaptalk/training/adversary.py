"""Adversarial training against the patch discriminator, for autoencoder, swap and lip-sync."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swaptalk.losses.adversarial import discriminator_loss, generator_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.discriminator import frozen_logits


def adversarial_rise(step: int, start: int, length: int) -> float:
    """Factor 0..1 of the generator's adversarial loss: 0 up to step ``start``, 1 from ``length``
    steps later on.
    """
    return min(1.0, max(0.0, (step - start) / max(1, length)))


def fooling_loss(discriminator: nn.Module, made: Tensor) -> Tensor:
    """Loss of the generator on its pictures (N, 3, H, W); no gradient for the discriminator."""
    return generator_loss(frozen_logits(discriminator, made))


def judging_terms(discriminator: nn.Module, real: Tensor, made: Tensor) -> LossTerms:
    """Loss of the discriminator on real and generated pictures (N, 3, H, W); no gradient for the
    generator.
    """
    terms = LossTerms({"discriminator": 1.0})
    logits = discriminator(torch.cat([real, made.detach()]))
    terms.add("discriminator", lambda: discriminator_loss(*logits.chunk(2)))
    return terms
