"""Identity loss of the autoencoder (paper, "VQGAN"): one minus the cosine of SFace. The swap's is
in its stage, since it compares with two pictures.

The recogniser of the losses is never the one that reports: a picture optimised against a recogniser
fools it.
"""

from __future__ import annotations

import torch
from torch import Tensor

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
