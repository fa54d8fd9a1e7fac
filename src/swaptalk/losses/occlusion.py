"""Losses of the occlusion network: right in each cell, and right in the overlap as a whole."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

#: Keeps the overlap of faces without any occluder defined, in cells.
_SMOOTH = 4.0


def cell_loss(logits: Tensor, covered: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy of logits (N, G, G) against covered shares (N, G, G) in 0..1."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), covered, reduction="none")
    return (losses * weight).sum() / weight.sum().clamp(min=1.0)


def overlap_loss(logits: Tensor, covered: Tensor, weight: Tensor) -> Tensor:
    """One minus the weighted Dice coefficient (Milletari et al. 2016, arXiv 1606.04797), the mean
    over the faces.
    """
    found = logits.float().sigmoid() * weight
    right = covered * weight
    both = (found * covered).sum(dim=(1, 2))
    dice = (2 * both + _SMOOTH) / (found.sum(dim=(1, 2)) + right.sum(dim=(1, 2)) + _SMOOTH)
    return 1 - dice.mean()
