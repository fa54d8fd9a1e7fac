"""Insides of mouths that a network made: coloured and contrasted as mouths are."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.editing.mouth_colour import natural_inside

SKIN, GREY = (190, 140, 120), (150, 150, 150)
#: Where the inside of the mouth is.
PATCH = (slice(20, 44), slice(12, 52))


def mended(
    inside: tuple[int, int, int], skin: tuple[int, int, int] = SKIN, contrast: bool = True
) -> np.ndarray:
    """Mean colour of an even inside after it was mended, in a face with real colours."""
    face = np.full((64, 64, 3), skin, np.uint8)
    where = np.ones((64, 64), np.uint8)
    where[PATCH] = 0
    made = face.copy()
    made[PATCH] = inside
    whole = natural_inside(made, face, where, 1 - where.astype(np.float32), contrast)
    return whole[PATCH].reshape(-1, 3)[100:-100].mean(axis=0)


def ratio(colour: np.ndarray | tuple[int, int, int], a: int, b: int) -> float:
    return float(np.log(colour[a] / colour[b]))


def test_nothing_is_green_or_purple() -> None:
    red, green, blue = mended((40, 80, 45))
    assert red > green > blue
    red, green, blue = mended((90, 60, 130))
    assert red > blue


def test_blue_teeth_turn_white() -> None:
    red, green, blue = mended((120, 150, 170))
    assert red > green > blue > 0.6 * red


def test_a_grey_film_stays_grey() -> None:
    for inside in ((60, 80, 62), (110, 130, 150), (30, 20, 20)):
        colour = mended(inside, GREY)
        assert np.ptp(colour) <= 5


@pytest.mark.parametrize("inside", [(105, 62, 54), (80, 42, 36), (165, 128, 118)])
def test_colours_that_mouths_have_stay(inside: tuple[int, int, int]) -> None:
    colour = mended(inside)
    assert abs(ratio(colour, 0, 1) - ratio(inside, 0, 1)) < 0.08
    assert abs(ratio(colour, 2, 1) - ratio(inside, 2, 1)) < 0.08


def test_what_is_dark_gets_darker_and_teeth_lighter_but_not_glaring() -> None:
    dark, teeth, bright = (mended(c).mean() for c in ((50, 25, 22), (120, 90, 80), (185, 148, 130)))
    assert dark < 0.92 * np.mean((50, 25, 22))
    assert teeth > 1.04 * np.mean((120, 90, 80))
    assert bright == pytest.approx(np.mean((185, 148, 130)), rel=0.05)


def test_contrasts_may_stay() -> None:
    for inside in ((50, 25, 22), (120, 90, 80), (185, 148, 130)):
        assert mended(inside, contrast=False).mean() == pytest.approx(np.mean(inside), rel=0.03)


def test_the_skin_of_the_network_does_not_matter() -> None:
    """Its whole picture is too blue; the mouth comes out as if it were not."""
    where = np.ones((64, 64), np.uint8)
    where[PATCH] = 0
    face = np.full((64, 64, 3), SKIN, np.uint8)
    made = face.copy()
    made[PATCH] = (105, 62, 54)
    blue = np.clip(made * [0.9, 1.0, 1.3], 0, 255).astype(np.uint8)
    found, wanted = (
        natural_inside(one, face, where, 1 - where.astype(np.float32), True)[PATCH]
        for one in (blue, made)
    )
    assert np.abs(found.astype(int) - wanted).max() <= 4
