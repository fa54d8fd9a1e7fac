import numpy as np
import pytest

from swaptalk.metrics.bootstrap import (
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_statistic,
)


def test_interval_of_a_large_normal_sample_is_the_textbook_one() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    interval = bootstrap_mean(list(values))
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert interval.count == 400


def test_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for trial in range(200):
        interval = bootstrap_mean(list(rng.exponential(1.0, 40)), confidence=0.9, seed=trial)
        hits += interval.low <= 1.0 <= interval.high
    assert 0.80 < hits / 200 < 0.96


def test_undefined_values_are_left_out_and_counted() -> None:
    interval = bootstrap_mean([1.0, float("nan"), 3.0])
    assert (interval.value, interval.count) == (2.0, 2)
    with pytest.raises(ValueError, match="no finite value"):
        bootstrap_mean([float("nan")])


def test_pairing_removes_the_differences_between_clips() -> None:
    clips = np.random.default_rng(3).normal(0, 10, 30)
    better = clips + 1.0 + np.random.default_rng(4).normal(0, 0.5, 30)
    paired = bootstrap_difference(list(better), list(clips))
    assert paired.low > 0.5 and paired.high < 1.5


def test_the_same_seed_gives_the_same_interval() -> None:
    assert bootstrap_mean([1, 2, 5, 9], seed=7) == bootstrap_mean([1, 2, 5, 9], seed=7)


def test_any_statistic() -> None:
    values = np.arange(50.0)
    interval = bootstrap_statistic(lambda index: float(np.median(values[index])), 50)
    assert interval.value == 24.5
    assert interval.low < 24.5 < interval.high
