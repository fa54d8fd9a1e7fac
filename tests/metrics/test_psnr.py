import math

import numpy as np
import pytest

from swaptalk.metrics.psnr import EQUAL_PICTURES_DB, psnr


def test_known_error() -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    # Every value off by 5: mean squared error 25.
    assert psnr(black, black + 5) == pytest.approx(10 * math.log10(255**2 / 25))


def test_white_against_black_is_zero() -> None:
    assert psnr(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)) == 0


def test_equal_pictures_rank_above_one_wrong_value_in_a_4k_frame() -> None:
    frame = np.zeros((2160, 3840, 3), np.uint8)
    other = frame.copy()
    other[0, 0, 0] = 1
    assert psnr(frame, frame) == EQUAL_PICTURES_DB > psnr(frame, other)


def test_agrees_with_scikit_image(astronaut, soften) -> None:
    assert psnr(astronaut, soften(astronaut)) == pytest.approx(27.601558762304123, abs=1e-9)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        psnr(np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8))
