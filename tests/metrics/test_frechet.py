import numpy as np
import pytest

from swaptalk.metrics.frechet import (
    GaussianStatistics,
    frechet_distance,
    gaussian_statistics,
)


def gaussian(mean: list[float], covariance: object) -> GaussianStatistics:
    return GaussianStatistics(np.array(mean, float), np.array(covariance, float), 1000)


def test_closed_form_for_commuting_covariances() -> None:
    # With diagonal covariances: |m1 - m2|^2 + sum (s1 - s2)^2 of the standard deviations.
    a = gaussian([1, 2, 3], np.diag([4.0, 9.0, 0.25]))
    b = gaussian([1, 0, 6], np.diag([1.0, 1.0, 0.25]))
    assert frechet_distance(a, b) == pytest.approx(4 + 9 + (2 - 1) ** 2 + (3 - 1) ** 2)


def test_closed_form_for_two_dimensional_covariances_that_do_not_commute() -> None:
    # tr (A B)^(1/2) = sqrt(tr AB + 2 sqrt(det AB)) for 2 x 2 matrices.
    a, b = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.7], [-0.7, 3.0]])
    root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = np.trace(a) + np.trace(b) - 2 * root
    assert frechet_distance(gaussian([0, 0], a), gaussian([0, 0], b)) == pytest.approx(expected)


def test_rotation_of_both_changes_nothing_and_equal_ones_are_zero() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 8)), rng.normal(1.0, 2.0, size=(300, 8))
    turn, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    distance = frechet_distance(gaussian_statistics(x), gaussian_statistics(y))
    turned = frechet_distance(gaussian_statistics(x @ turn), gaussian_statistics(y @ turn))
    assert turned == pytest.approx(distance)
    assert frechet_distance(gaussian_statistics(x), gaussian_statistics(x)) == pytest.approx(
        0, abs=1e-6
    )


def test_singular_covariances_are_fine_and_reported() -> None:
    rng = np.random.default_rng(1)
    few = gaussian_statistics(rng.normal(size=(5, 40)))
    shifted = GaussianStatistics(few.mean + 2.0, few.covariance, few.count)
    assert not few.full_rank
    assert frechet_distance(few, shifted) == pytest.approx(40 * 4, rel=1e-6)


def test_statistics_are_the_unbiased_ones() -> None:
    x = np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32)
    statistics = gaussian_statistics(x)
    assert np.allclose(statistics.covariance, np.cov(x, rowvar=False), atol=1e-6)
    with pytest.raises(ValueError, match="at least two"):
        gaussian_statistics(x[:1])
