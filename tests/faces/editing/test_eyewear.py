"""Glasses are told by their bridge, and their rims found: drawn on a photograph of a woman
without.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.eyewear import (
    GLASSES_STRENGTH,
    Eyewear,
    eyewear,
    eyewear_strength,
    glasses_rims,
)
from swaptalk.faces.geometry.topology import LEFT_EYE, RIGHT_EYE


def with_glasses(crop: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """A crop with round dark rims."""
    drawn = crop.copy()
    right, left = (
        np.round(mesh[eye, :2].mean(axis=0)).astype(int) for eye in (RIGHT_EYE, LEFT_EYE)
    )
    radius = int(0.36 * np.linalg.norm(left - right))
    for centre in (right, left):
        cv2.circle(drawn, centre.tolist(), radius, (20, 20, 20), 4, cv2.LINE_AA)
    cv2.line(
        drawn,
        (right + (radius, 0)).tolist(),
        (left - (radius, 0)).tolist(),
        (20, 20, 20),
        4,
        cv2.LINE_AA,
    )
    return drawn


def with_dark_glasses(crop: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The same with lenses that hide the eyes."""
    drawn = with_glasses(crop, mesh)
    for eye in (RIGHT_EYE, LEFT_EYE):
        centre = np.round(mesh[eye, :2].mean(axis=0)).astype(int)
        cv2.circle(drawn, centre.tolist(), 34, (20, 20, 20), -1, cv2.LINE_AA)
    return drawn


@pytest.fixture
def glasses(astronaut_face) -> np.ndarray:
    return with_glasses(astronaut_face[0], astronaut_face[1])


def test_rims_are_seen(astronaut_face, glasses) -> None:
    crop, mesh, _ = astronaut_face
    assert eyewear_strength(glasses, mesh) > 1.5 * GLASSES_STRENGTH
    assert eyewear_strength(crop, mesh) < GLASSES_STRENGTH / 2


def test_neither_light_nor_size_matters(astronaut_face, glasses) -> None:
    mesh = astronaut_face[1]
    strength = eyewear_strength(glasses, mesh)
    assert eyewear_strength((glasses * 0.5).astype(np.uint8), mesh) == pytest.approx(
        strength, rel=0.3
    )
    larger = cv2.resize(glasses, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LINEAR)
    assert eyewear_strength(larger, 1.5 * mesh) == pytest.approx(strength, rel=0.3)


def test_rims_are_found_where_they_are(astronaut_face, glasses) -> None:
    crop, mesh, _ = astronaut_face
    found = glasses_rims(glasses, mesh)
    drawn = np.abs(glasses.astype(int) - crop).max(axis=2) > 40
    assert found[drawn].mean() > 0.7
    near = cv2.dilate(drawn.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert found[~near].sum() < 0.1 * found.sum()  # brows that touch them
    assert not glasses_rims(crop, mesh).any()


def test_dark_lenses_have_no_rims_to_see_through(astronaut_face, glasses) -> None:
    crop, mesh, _ = astronaut_face
    assert eyewear([with_dark_glasses(crop, mesh)], [mesh]) is Eyewear.OTHER
    assert eyewear([glasses], [mesh]) is Eyewear.RIMS
    assert eyewear([crop, crop, glasses], [mesh] * 3) is Eyewear.NONE


@pytest.mark.parametrize("colour", [(20, 20, 20), (150, 40, 40), (40, 60, 150)])
def test_rims_are_found_whatever_their_colour_and_however_dark_the_picture(
    astronaut_face, glasses: np.ndarray, colour: tuple[int, int, int]
) -> None:
    crop, mesh, _ = astronaut_face
    mesh = np.asarray(mesh, np.float32)
    drawn = np.abs(glasses.astype(int) - crop).max(axis=2, keepdims=True) > 40
    picture = np.where(drawn, np.array(colour, np.uint8), crop)
    for share in (1.0, 0.3):
        dark = (picture * share).astype(np.uint8)
        assert eyewear([dark], [mesh]) is Eyewear.RIMS
        assert eyewear([(crop * share).astype(np.uint8)], [mesh]) is Eyewear.NONE


def test_thick_frames_that_are_not_always_found_are_left_to_the_target(
    astronaut_face, glasses: np.ndarray
) -> None:
    crop, mesh, _ = astronaut_face
    mesh = np.asarray(mesh, np.float32)
    assert eyewear([glasses] * 3, [mesh] * 3) is Eyewear.RIMS
    assert eyewear([glasses, glasses, crop], [mesh] * 3) is Eyewear.OTHER
