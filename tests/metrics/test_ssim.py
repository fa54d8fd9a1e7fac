import numpy as np
import pytest

from swaptalk.metrics.cpbd import luminance
from swaptalk.metrics.ssim import ssim


def test_equal_pictures_are_one(astronaut) -> None:
    assert ssim(astronaut, astronaut) == pytest.approx(1.0)


def test_agrees_with_scikit_image(astronaut, soften) -> None:
    # structural_similarity 0.26 with gaussian_weights, sigma 1.5, use_sample_covariance False,
    # data_range 255.
    other = soften(astronaut)
    assert ssim(astronaut, other) == pytest.approx(0.921999621118287, abs=1e-9)
    assert ssim(luminance(astronaut), luminance(other)) == pytest.approx(
        0.9296949163178525, abs=1e-9
    )


def test_two_flat_pictures_have_the_closed_form() -> None:
    # Without variance only the luminance term is left: (2 ab + C1) / (a^2 + b^2 + C1).
    a, b, c1 = 100.0, 150.0, (0.01 * 255) ** 2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert ssim(
        np.full((32, 32), 100, np.uint8), np.full((32, 32), 150, np.uint8)
    ) == pytest.approx(expected)


def test_pictures_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="smaller than SSIM's window"):
        ssim(np.zeros((10, 40), np.uint8), np.zeros((10, 40), np.uint8))
