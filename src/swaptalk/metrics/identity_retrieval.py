"""ID Retrieve: does a generated face find its source among all sources? (FaceShifter's protocol, Li
et al. 2020.)

The gallery holds one photo of each test identity; queries are generated frames; the recogniser must
not have been part of any loss. The paper does not state its gallery: this one's size is printed
with the number, because larger galleries are harder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Retrieval:
    """Share of queries, 0..100 %, whose own identity is nearest (top 1) or among the five nearest;
    higher is better.
    """

    top1: float
    top5: float
    gallery_size: int


def normalise(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale embeddings (..., D) to unit length."""
    values = embeddings.astype(np.float64)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))


def retrieval_ranks(
    queries: NDArray[np.floating], identities: NDArray[np.integer], gallery: NDArray[np.floating]
) -> NDArray[np.intp]:
    """Number of gallery entries more similar (cosine) to each query than its own: (Q,), 0 is a hit.

    Ties count against the query, so that a constant embedding does not score.

    Args:
        queries: embeddings (Q, D).
        identities: index (Q,) of each query's identity in the gallery.
        gallery: embeddings (G, D), one per identity.
    """
    similarity = normalise(queries) @ normalise(gallery).T
    own = np.take_along_axis(similarity, identities[:, None].astype(np.intp), axis=1)
    return np.asarray((similarity >= own).sum(axis=1) - 1, np.intp)


def identity_retrieval(
    queries: NDArray[np.floating], identities: NDArray[np.integer], gallery: NDArray[np.floating]
) -> Retrieval:
    """Top-1 and top-5 retrieval of queries (Q, D) with identities (Q,) in a gallery (G, D).

    Raises:
        ValueError: there are no queries, or an identity is not in the gallery.
    """
    if len(queries) == 0 or len(queries) != len(identities):
        raise ValueError(f"{len(queries)} queries with {len(identities)} identities")
    if identities.min() < 0 or identities.max() >= len(gallery):
        raise ValueError(f"an identity is not in the gallery of {len(gallery)}")
    ranks = retrieval_ranks(queries, identities, gallery)
    return Retrieval(float((ranks < 1).mean() * 100), float((ranks < 5).mean() * 100), len(gallery))
