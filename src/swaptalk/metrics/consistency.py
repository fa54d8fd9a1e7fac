"""Consistency of identity over a clip, and its companions.

The paper gives no formula. Ours: the mean cosine over all pairs of frames of a clip, times 100. It
equals the squared length of the mean of the unit-length embeddings, hence also the square of the
mean cosine to the clip's mean direction. 100 for one repeated frame; a swap that flickers between
people falls towards 0. It does not ask whose identity is kept: read it with the cosine to the
source.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.metrics.identity_retrieval import normalise


@dataclass(frozen=True)
class IdentityOverTime:
    """Identity of one clip.

    ``consistency`` is in % (0..100 in practice). The others are cosines, -1..1: of each frame to
    the source photo (mean and variance over time; higher mean and lower variance are better) and of
    consecutive frames (mean).
    """

    consistency: float
    source_cosine: float
    source_variance: float
    consecutive_cosine: float


def consistency(embeddings: NDArray[np.floating]) -> float:
    """100 times the mean cosine over all pairs of embeddings (T, D) of a clip.

    Raises:
        ValueError: there is no frame.
    """
    if len(embeddings) == 0:
        raise ValueError("no frame to measure")
    mean = normalise(embeddings).mean(axis=0)
    return float(mean @ mean) * 100.0


def source_cosines(
    embeddings: NDArray[np.floating], source: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Cosine (T,) of each frame's embedding (T, D) to the source's (D,)."""
    return np.asarray(normalise(embeddings) @ normalise(source), np.float64)


def identity_over_time(
    embeddings: NDArray[np.floating], source: NDArray[np.floating]
) -> IdentityOverTime:
    """All identity measures of a clip from its embeddings (T, D) in order and the source's (D,); T
    >= 1.
    """
    to_source = source_cosines(embeddings, source)
    unit = normalise(embeddings)
    consecutive = float((unit[1:] * unit[:-1]).sum(axis=1).mean()) if len(unit) > 1 else 1.0
    return IdentityOverTime(
        consistency(embeddings), float(to_source.mean()), float(to_source.var()), consecutive
    )
