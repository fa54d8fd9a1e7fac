"""Frechet distance between two sets of features, each seen as a Gaussian (Heusel et al. 2017, arXiv 1706.08500)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class GaussianStatistics:
    """Mean (D,) and unbiased covariance (D, D) of ``count`` features of D dimensions."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    count: int

    @property
    def full_rank(self) -> bool:
        """Whether there are more samples than dimensions; below, the distance depends strongly on the count."""
        return self.count > self.mean.size


def gaussian_statistics(features: NDArray[np.floating]) -> GaussianStatistics:
    """Statistics of features (N, D).

    Raises:
        ValueError: fewer than two features.
    """
    if features.ndim != 2 or features.shape[0] < 2:
        raise ValueError(f"a covariance needs at least two features, not an array of shape {features.shape}")
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    return GaussianStatistics(mean, centred.T @ centred / (len(values) - 1), len(values))


def frechet_distance(a: GaussianStatistics, b: GaussianStatistics) -> float:
    """|ma - mb|^2 + tr(Ca + Cb - 2 (Ca Cb)^(1/2)); >= 0, 0 for equal Gaussians, in squared feature units.

    (Ca Cb)^(1/2) has the trace of the square roots of the eigenvalues of the symmetric Ca^(1/2) Cb Ca^(1/2), so two
    symmetric eigenvalue problems do, and singular covariances need no offset on the diagonal.

    Raises:
        ValueError: the dimensions differ.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"features of {a.mean.size} and {b.mean.size} dimensions")
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ b.covariance @ root)
    trace_of_root = float(np.sqrt(np.maximum(product, 0.0)).sum())
    difference = a.mean - b.mean
    trace = float(np.trace(a.covariance) + np.trace(b.covariance))
    return max(0.0, float(difference @ difference) + trace - 2.0 * trace_of_root)
