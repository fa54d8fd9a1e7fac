"""What varies between people, and what within one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def person_covariances(
    scores: NDArray[np.floating], people: NDArray[np.intp]
) -> tuple[Matrix, Matrix]:
    """Covariances (K, K) of people's means, and within a person who has several photographs.

    Args:
        scores: (N, K), one row for each photograph.
        people: number of the person (N,).

    Raises:
        ValueError: nobody has two photographs.
    """
    _, person, count = np.unique(people, return_inverse=True, return_counts=True)
    several = count > 1
    if not several.any():
        raise ValueError("nobody has two photographs")
    mean = np.zeros((len(count), scores.shape[1]))
    np.add.at(mean, person, scores)
    mean /= count[:, None]
    apart = (scores - mean[person])[several[person]]
    within = apart.T @ apart / (len(apart) - several.sum())
    # Means over few photographs still hold a share of what varies within a person.
    between = np.cov(mean[several].T) - within * float((1 / count[several]).mean())
    values, vectors = np.linalg.eigh(between)
    return vectors @ np.diag(np.maximum(values, 0)) @ vectors.T, within
