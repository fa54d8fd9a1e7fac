"""Bootstrap confidence intervals over clips (Efron 1979; percentile form)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Enough for the second decimal of a 95 % bound to stay put between seeds.
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A statistic with its confidence interval; ``low`` <= ``value`` <= ``high`` up to skew, all in
    the metric's unit.

    ``count`` is the number of clips behind it.
    """

    value: float
    low: float
    high: float
    count: int


def bootstrap_mean(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> Interval:
    """Mean over clips and the interval that holds the given share of the means of resampled clip
    sets.

    Clips are the unit, because frames of one clip are not independent. NaN values (undefined for a
    clip) are left out. One clip gives an interval without width: read ``count``.

    Raises:
        ValueError: no finite value is left, or ``confidence`` is not between 0 and 1.
    """
    kept = np.asarray([v for v in values if np.isfinite(v)], np.float64)
    if kept.size == 0:
        raise ValueError("no finite value to average")

    def resampled_means(index: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray(kept[index].mean(axis=1), np.float64)

    low, high = _bounds(resampled_means, kept.size, confidence, seed)
    return Interval(float(kept.mean()), low, high, int(kept.size))


def bootstrap_difference(
    a: Sequence[float], b: Sequence[float], confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Mean of a[i] - b[i] over clips measured in both (paired bootstrap): 0 outside the interval is
    a real difference.

    Raises:
        ValueError: the lengths differ, or no clip has both values.
    """
    if len(a) != len(b):
        raise ValueError(f"paired values of different counts {len(a)} and {len(b)}")
    return bootstrap_mean([x - y for x, y in zip(a, b, strict=True)], confidence, seed)


def bootstrap_statistic(
    statistic: Callable[[NDArray[np.intp]], float],
    count: int,
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = 200,
) -> Interval:
    """Interval of any statistic of a clip set, such as a Frechet distance, which is no mean over
    clips.

    Args:
        statistic: takes clip indices (with repeats) and returns the value.
        count: number of clips.
        confidence: share of the resampled values inside the interval.
        seed: of the resampling.
        resamples: fewer than for means, because each costs a full evaluation.

    Raises:
        ValueError: ``count`` is 0.
    """
    if count < 1:
        raise ValueError("no clips to resample")

    def values(index: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray([statistic(row) for row in index], np.float64)

    low, high = _bounds(values, count, confidence, seed, resamples)
    return Interval(float(statistic(np.arange(count))), low, high, count)


def _bounds(
    statistic: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    count: int,
    confidence: float,
    seed: int,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    index = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(index), [tail, 1 - tail])
    return float(low), float(high)
