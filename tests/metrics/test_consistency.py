import numpy as np
import pytest

from swaptalk.metrics.consistency import consistency, identity_over_time


def test_one_repeated_frame_is_100() -> None:
    frame = np.random.default_rng(0).normal(size=192)
    # Length does not count, only direction.
    assert consistency(np.outer([1.0, 2.0, 0.5, 7.0], frame)) == pytest.approx(100.0)


def test_equals_the_mean_over_all_pairs() -> None:
    clip = np.random.default_rng(1).normal(size=(9, 16)) + 1.0
    unit = clip / np.linalg.norm(clip, axis=1, keepdims=True)
    assert consistency(clip) == pytest.approx((unit @ unit.T).mean() * 100)


def test_two_people_in_turn() -> None:
    # Orthogonal faces a and b, half of the frames each: half of the pairs have cosine 1, half 0.
    clip = np.eye(4)[[0, 1, 0, 1, 0, 1]]
    result = identity_over_time(clip, np.eye(4)[0])
    assert result.consistency == pytest.approx(50.0)
    assert result.consecutive_cosine == pytest.approx(0.0)
    assert result.source_cosine == pytest.approx(0.5)
    assert result.source_variance == pytest.approx(0.25)


def test_a_slow_drift_is_smooth_but_not_consistent() -> None:
    angle = np.linspace(0, np.pi / 2, 200)
    clip = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    result = identity_over_time(clip, clip[0])
    assert result.consecutive_cosine > 0.999
    # The mean of a quarter circle of unit vectors has length 2 sqrt 2 / pi.
    assert result.consistency == pytest.approx((2 * np.sqrt(2) / np.pi) ** 2 * 100, rel=1e-2)


def test_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="no frame"):
        consistency(np.zeros((0, 4)))
