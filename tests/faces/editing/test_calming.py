"""What a large change of light would blow up is taken off before."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.calming import Kept, calm_contrasts, plain_colours, plain_shadows
from swaptalk.faces.editing.light import luma
from swaptalk.faces.geometry.align import estimate_alignment
from swaptalk.faces.geometry.topology import (
    CANONICAL_MESH,
    EYE_RINGS,
    LEFT_BROW,
    OUTER_LIPS,
    RIGHT_BROW,
)

#: A cheek and its surroundings, rows and columns of the crop.
CHEEK, SURROUNDINGS = (slice(150, 156), slice(80, 86)), (slice(164, 170), slice(80, 86))


@pytest.fixture(scope="module")
def mesh() -> np.ndarray:
    return estimate_alignment(CANONICAL_MESH[:, :2]).to_crop(CANONICAL_MESH)


def light(*colour: float) -> np.ndarray:
    made = np.zeros((4, 3), np.float32)
    made[0] = colour
    return made


def dark_skin(spot: float) -> np.ndarray:
    """A dark face, its cheek brighter by exp(spot)."""
    face = np.full((256, 256, 3), (90, 60, 50), np.float64)
    face[CHEEK] *= np.exp(spot)
    return np.clip(face, 0, 255).astype(np.uint8)


def contrast(face: np.ndarray) -> float:
    return float(np.log(luma(face)[CHEEK].mean() / luma(face)[SURROUNDINGS].mean()))


def test_colours_calm_down_as_their_light_changes() -> None:
    for change, least, most in ((0.3, 1, 1), (0.7, 0.4, 0.6), (1.5, 0.1, 0.2)):
        one, other = light(0, 0, 0), light(0, change / 2, change)
        assert least <= Kept.of(one, other).colours <= most
        assert Kept.of(one, other).colours == pytest.approx(Kept.of(other, one).colours)


def test_contrasts_calm_down_only_as_skin_is_brightened() -> None:
    dark, fair = light(4, 4, 4), light(5, 5, 5)
    assert Kept.of(fair, dark).contrasts == Kept.of(dark, dark).contrasts == 1
    assert 0 < Kept.of(dark, light(4.4, 4.4, 4.4)).contrasts < 1
    assert Kept.of(dark, fair).contrasts == 0


def test_plain_colours_keep_the_brightness_and_the_skins_hue(mesh: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(80, 160, (256, 256, 1))
    picture = np.clip(grey * np.array([1.2, 0.9, 0.6]), 0, 255).astype(np.uint8)
    picture[100:110, 100:110] = (60, 200, 60)
    plain = plain_colours(picture, mesh)
    assert np.abs(luma(plain) - luma(picture)).max() < 3
    hue = plain.astype(float)[::8, ::8] / luma(plain)[::8, ::8, None]
    np.testing.assert_allclose(hue, np.broadcast_to(hue.mean(axis=(0, 1)), hue.shape), rtol=0.1)


def test_lips_stay_redder_than_the_skin(mesh: np.ndarray) -> None:
    picture = np.full((256, 256, 3), (150, 110, 90), np.uint8)
    left, top = mesh[OUTER_LIPS, :2].min(axis=0).astype(int)
    right, bottom = mesh[OUTER_LIPS, :2].max(axis=0).astype(int)
    picture[top:bottom, left:right] = (170, 80, 80)
    plain = plain_colours(picture, mesh).astype(float)
    lower_lip = tuple(np.round(mesh[17, 1::-1] - (3, 0)).astype(int))
    red = plain[..., 0] / plain[..., 1]
    assert red[lower_lip] > 1.7 > 1.5 > red[150, 80]


def test_shine_and_shadows_shrink_and_hair_does_not(mesh: np.ndarray) -> None:
    def calmed(spot: float) -> float:
        face = dark_skin(spot)
        return contrast(calm_contrasts(face, plain_colours(face, mesh), mesh))

    shine, shadow, stubble = 0.5, -0.35, -1.1
    assert 0.3 * shine < calmed(shine) < 0.5 * shine
    assert 0.65 * shadow < calmed(shadow) < 0.35 * shadow
    assert calmed(stubble) < 0.8 * stubble


def test_nothing_but_the_face_is_calmed(mesh: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(20, 120, (256, 256, 1), np.uint8).repeat(3, axis=2)
    calm = calm_contrasts(picture, plain_colours(picture, mesh), mesh)
    np.testing.assert_allclose(luma(calm)[:, :8], luma(picture)[:, :8], atol=3)


def test_purple_brows_lose_their_colour_and_not_their_darkness(mesh: np.ndarray) -> None:
    face = np.full((256, 256, 3), (210, 160, 130), np.uint8)
    brow = cv2.fillConvexPoly(
        np.zeros((256, 256), np.uint8),
        cv2.convexHull(np.round(mesh[RIGHT_BROW, :2]).astype(np.int32)),
        (255,),
    )
    face[brow > 0] = (90, 30, 80)
    made = plain_shadows(face, mesh)
    inside = cv2.erode(brow, np.ones((3, 3), np.uint8)) > 0
    np.testing.assert_allclose(luma(made)[inside], luma(face)[inside], atol=2)
    _, green, blue = made[inside].mean(axis=0)
    assert blue - green < 8  # 50 before
    np.testing.assert_array_equal(made[CHEEK], face[CHEEK])


def test_eyes_lips_and_brown_brows_keep_their_colours(mesh: np.ndarray) -> None:
    face = np.full((256, 256, 3), (210, 160, 130), np.uint8)
    middles = []
    for ring, colour in ((EYE_RINGS[0], (40, 60, 110)), (OUTER_LIPS, (120, 30, 50))):
        cv2.fillPoly(face, [np.round(mesh[ring, :2]).astype(np.int32)], colour)
        middles.append(np.round(mesh[ring, :2].mean(axis=0)).astype(int))
    brow = np.round(mesh[LEFT_BROW, :2]).astype(np.int32)
    cv2.fillConvexPoly(face, cv2.convexHull(brow), (75, 55, 45))
    made = plain_shadows(face, mesh)
    for x, y in [*middles, brow.mean(axis=0).astype(int)]:
        np.testing.assert_allclose(made[y, x], face[y, x], atol=4)
