"""Boxes of pixels against the pixels themselves."""

from __future__ import annotations

import numpy as np

from swaptalk.faces.geometry.box import Box


def pixels(box: Box) -> set[tuple[int, int]]:
    """Rows and columns of a box in a square of 12."""
    canvas = np.zeros((12, 12), bool)
    canvas[box.slices] = True
    return set(zip(*(axis.tolist() for axis in np.nonzero(canvas)), strict=True))


def test_a_box_holds_its_points_and_the_margin() -> None:
    box = Box.around(np.array([[3.2, 5.0], [6.9, 4.1]]), 1, 12)
    assert box == (3, 7, 2, 9)
    assert Box.around(np.array([[0.0, 11.0]]), 4, 12) == (7, 12, 0, 5)


def test_common_pixels_are_those_of_both() -> None:
    one, other = Box(1, 6, 2, 9), Box(4, 12, 0, 5)
    assert pixels(one.common(other)) == pixels(one) & pixels(other)
    assert pixels(one.common(Box(8, 12, 9, 12))) == set()


def test_growth_stays_inside_and_finer_boxes_keep_their_place() -> None:
    assert Box(1, 6, 2, 11).grown(2, 12) == (0, 8, 0, 12)
    assert Box(1, 6, 2, 11).finer(4) == (4, 24, 8, 44)
    assert Box(1, 6, 4, 11).aligned(4) == (0, 8, 4, 12)
    assert Box(4, 24, 8, 44).coarser(4) == (1, 6, 2, 11)
    assert Box(4, 6, 5, 9).within(Box(3, 8, 2, 11)) == (1, 3, 3, 7)
    assert Box(4, 6, 5, 9).size == (4, 2)
