import numpy as np
import pytest

from swaptalk.metrics.cpbd import canny_edges, cpbd, edge_widths, luminance, sobel_edges


def test_reference_values(astronaut, soften) -> None:
    # cpbd 1.0.7 on the picture read as luminance.
    assert cpbd(astronaut) == pytest.approx(0.38368206916594016, abs=1e-12)
    assert cpbd(luminance(soften(astronaut))) == pytest.approx(0.27995599905712265, abs=1e-12)


def test_softer_pictures_score_lower(astronaut, soften) -> None:
    once = soften(astronaut)
    assert cpbd(astronaut) > cpbd(once) > cpbd(soften(once))


@pytest.mark.parametrize("ramp", [1, 2, 4, 7])
def test_width_of_a_ramp_is_its_length(ramp: int) -> None:
    # Dark, then a linear rise over `ramp` pixels, then bright; the fall at the end is there because
    # the original measures nothing in a picture that only rises.
    levels = np.full(80, 40.0)
    levels[30:70] = 200.0
    levels[30 : 30 + ramp] = np.linspace(60, 180, ramp) if ramp > 1 else 120.0
    grey = np.tile(levels, (16, 1))
    edges = np.zeros(grey.shape, bool)
    edge = 30 + ramp // 2
    edges[:, edge] = True
    # From the edge pixel the row rises to the last dark pixel (29) on one side and the first bright
    # one on the other.
    assert (edge_widths(grey, edges)[1:-1, edge] == ramp + 1).all()
    mirrored = edge_widths(grey[:, ::-1].copy(), edges[:, ::-1].copy())
    assert (mirrored[1:-1, 79 - edge] == ramp + 1).all()


def test_widths_agree_with_the_definition_pixel_by_pixel() -> None:
    grey = np.random.default_rng(3).integers(0, 12, (20, 40)).astype(np.float64)
    edges = np.random.default_rng(4).random(grey.shape) < 0.5
    fast = edge_widths(grey, edges)
    gradient_y, gradient_x = (np.gradient(grey, axis=axis) for axis in (0, 1))
    for r in range(1, 19):
        for c in range(1, 39):
            angle = (
                np.degrees(np.arctan2(gradient_y[r, c], gradient_x[r, c]))
                if gradient_x[r, c]
                else 0.0
            )
            sign = {0: 1, 180: -1, -180: -1}.get(int(45 * np.round(angle / 45)), 0)
            expected = 0
            if edges[r, c] and sign:
                left = right = 1
                while c - 1 - left >= 0 and sign * (grey[r, c - left] - grey[r, c - left - 1]) > 0:
                    left += 1
                while (
                    c + 1 + right < 40 and sign * (grey[r, c + right + 1] - grey[r, c + right]) > 0
                ):
                    right += 1
                expected = left + right
            assert fast[r, c] == expected, (r, c)


def test_edges_lie_on_the_contour_of_a_disc() -> None:
    y, x = np.mgrid[:96, :96]
    radius = np.hypot(x - 47.3, y - 48.6)
    disc = 200.0 / (1.0 + np.exp((radius - 30.0) / 2.0))
    strong = canny_edges(disc) & (np.abs(radius - 30) < 8)
    assert strong.sum() > 120
    assert np.abs(radius[strong] - 30).max() < 1.5
    # Row 49 crosses the contour at 17.3 and 77.3.
    sides = np.flatnonzero(sobel_edges(disc)[49])
    assert np.abs(sides - 17.3).min() < 1 and np.abs(sides - 77.3).min() < 1
    assert set(sides.tolist()) <= set(range(10, 25)) | set(range(70, 85))


def test_nothing_to_judge_is_zero() -> None:
    assert cpbd(np.full((128, 128), 90, np.uint8)) == 0
    assert cpbd(np.zeros((63, 200, 3), np.uint8)) == 0
