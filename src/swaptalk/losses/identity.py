"""Identity losses (paper, "VQGAN" and "Face swapping"): one minus the cosine of SFace.

The recogniser of the losses is never the one that reports: a picture optimised against a recogniser
fools it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swaptalk.models.identity import SFace


def directions(recogniser: SFace, faces: Tensor) -> Tensor:
    """Identity directions (N, D) of faces (N, 3, 256, 256) in [-1, 1] that need no gradient."""
    with torch.no_grad():
        found: Tensor = recogniser(faces)
        return found


def identity_loss(recogniser: SFace, faces: Tensor, wanted: Tensor) -> Tensor:
    """Mean of 1 - cosine between the identity of ``faces`` and what is wanted, 0..2.

    Args:
        recogniser: frozen; gradients flow through it to the faces.
        faces: (N, 3, 256, 256) in [-1, 1].
        wanted: (N, D) unit directions, from `directions` or a cache.
    """
    found: Tensor = recogniser(faces)
    return (1 - (found * wanted).sum(dim=1)).mean()


def identities_loss(recogniser: nn.Module, faces: Tensor, wanted: Tensor) -> Tensor:
    """Mean of 1 - cosine between the identity of ``faces`` and those of several pictures, 0..2;
    faces of which one is not known do not count.

    Args:
        recogniser: frozen; gradients flow through it to the faces.
        faces: (N, 3, 256, 256) in [-1, 1].
        wanted: (N, P, D) unit directions of P pictures, NaN where they are not known.
    """
    known = torch.isfinite(wanted).all(dim=2).all(dim=1)
    if not bool(known.any()):
        return faces.sum() * 0.0
    found: Tensor = recogniser(faces[known])
    return (1 - (found[:, None] * wanted[known]).sum(dim=2)).mean()
