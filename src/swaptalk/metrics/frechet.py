"""Frechet distance between two sets of features, each seen as a Gaussian (Heusel et al. 2017, arXiv
1706.08500).
"""

from __future__ import annotations

from collections.abc import Sequence
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
        """Whether there are more samples than dimensions; below, the distance depends strongly on
        the count.
        """
        return self.count > self.mean.size


def gaussian_statistics(features: NDArray[np.floating]) -> GaussianStatistics:
    """Statistics of features (N, D).

    Raises:
        ValueError: fewer than two features.
    """
    if features.ndim != 2 or features.shape[0] < 2:
        raise ValueError(
            f"a covariance needs at least two features, not an array of shape {features.shape}"
        )
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    return GaussianStatistics(mean, centred.T @ centred / (len(values) - 1), len(values))


def frechet_distance(a: GaussianStatistics, b: GaussianStatistics) -> float:
    """|ma - mb|^2 + tr(Ca + Cb - 2 (Ca Cb)^(1/2)); >= 0, 0 for equal Gaussians, in squared feature
    units.

    (Ca Cb)^(1/2) has the trace of the square roots of the eigenvalues of the symmetric Ca^(1/2) Cb
    Ca^(1/2), so two symmetric eigenvalue problems do, and singular covariances need no offset on
    the diagonal.

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


class ClipFrechet:
    """Frechet distance over any choice of clips, fast enough to be resampled.

    tr (Ca Cb)^(1/2) is the sum of the singular values of A B^T for centred features A, B divided by
    the square root of their degrees of freedom, so that a choice of n features costs one n x n
    singular value problem instead of two of the features' dimension.

    Args:
        generated: features (n_i, D) of each clip.
        target: features (m_i, D) of each clip's target.

    Raises:
        ValueError: the numbers of clips differ or there is none.
    """

    def __init__(
        self, generated: Sequence[NDArray[np.floating]], target: Sequence[NDArray[np.floating]]
    ) -> None:
        if len(generated) != len(target) or not generated:
            raise ValueError(f"features of {len(generated)} clips and {len(target)} targets")
        self._sets = [
            np.concatenate(list(clips)).astype(np.float64) for clips in (generated, target)
        ]
        self._owners = [
            np.repeat(np.arange(len(clips)), [len(c) for c in clips])
            for clips in (generated, target)
        ]
        self.clips = len(generated)

    @property
    def full_rank(self) -> bool:
        """Whether both sets hold more features than dimensions."""
        return all(len(features) > features.shape[1] for features in self._sets)

    def __call__(self, clips: NDArray[np.intp]) -> float:
        """Distance over the chosen clips, repeats counting as often as they occur."""
        weights = np.bincount(clips, minlength=self.clips).astype(np.float64)
        means, factors = [], []
        for features, owner in zip(self._sets, self._owners, strict=True):
            weight = weights[owner]
            chosen, weight = features[weight > 0], weight[weight > 0]
            mean = weight @ chosen / weight.sum()
            means.append(mean)
            factors.append((chosen - mean) * np.sqrt(weight / max(weight.sum() - 1, 1))[:, None])
        a, b = factors
        if min(len(a), len(b)) > a.shape[1]:
            a, b = a.T @ a, b.T @ b
            count = int(weights.sum())
            first, second = (
                GaussianStatistics(m, c, count) for m, c in zip(means, (a, b), strict=True)
            )
            return frechet_distance(first, second)
        trace_of_root = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
        difference = means[0] - means[1]
        return max(
            0.0, float(difference @ difference + (a**2).sum() + (b**2).sum()) - 2.0 * trace_of_root
        )
