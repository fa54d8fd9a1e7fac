"""Eyes turn to where they are told to look, behind the lids that they are given."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.eye_network import measure_eyes
from swaptalk.faces.editing.eye_shape import eye_pair, visible_pair
from swaptalk.faces.editing.eye_warp import (
    draw_eyes,
    draw_lids,
    eye_trust,
    lowered_share,
    moved_lids,
    with_lids,
)
from swaptalk.faces.geometry.topology import AROUND_EYES, EYE_RINGS


@pytest.fixture(scope="module")
def face(hopper_face) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    crop, mesh, *_ = hopper_face
    return crop, mesh, measure_eyes(crop, mesh)


def opening(eyes: np.ndarray) -> np.ndarray:
    mask = np.zeros((256, 256), np.uint8)
    for eye in eyes:
        cv2.fillPoly(mask, [np.round(eye[:16]).astype(int)], 1)
    return mask > 0


def test_eyes_drawn_where_they_are_change_nothing(face) -> None:
    crop, mesh, eyes = face
    made = crop.copy()
    draw_eyes(made, mesh, eyes, crop, eye_pair(mesh, eyes))
    assert np.abs(made.astype(int) - crop)[opening(eyes)].mean() < 4
    outside = cv2.dilate(opening(eyes).astype(np.uint8), np.ones((9, 9))) == 0
    np.testing.assert_array_equal(made[outside], crop[outside])


@pytest.mark.parametrize("shift", [-5.0, 5.0])
def test_irises_move_where_they_are_told(face, shift: float) -> None:
    crop, mesh, eyes = face
    wanted = eyes.copy()
    wanted[:, 16:, 0] += shift
    made = crop.copy()
    draw_eyes(made, mesh, wanted, crop, eye_pair(mesh, eyes))
    moved = (measure_eyes(made, mesh) - eyes)[:, 16, 0]
    np.testing.assert_allclose(moved, shift, atol=2.5)


def test_lids_open_as_far_on_a_face_of_another_shape(face) -> None:
    _, mesh, eyes = face
    np.testing.assert_allclose(moved_lids(mesh, mesh, eyes), eyes, atol=1e-2)
    closed = eyes.copy()
    for eye in (0, 1):
        closed[eye, 1:8, 1] = closed[eye, 15:8:-1, 1]
    larger = mesh * 1.2
    moved = moved_lids(larger, mesh, closed)
    gaps = np.abs(moved[:, 1:8, 1] - moved[:, 15:8:-1, 1])
    assert gaps.max() < 0.6, "closed lids stay closed"
    moved = moved_lids(larger, mesh, eyes)
    np.testing.assert_allclose(moved, 1.2 * eyes, atol=0.5)


def test_the_mesh_takes_the_lids_and_the_skin_around_them_follows(face) -> None:
    _, mesh, eyes = face
    moved = with_lids(mesh, eyes + 1)
    around = np.concatenate([*EYE_RINGS, *(ring for pair in AROUND_EYES for ring in pair)])
    others = np.setdiff1d(np.arange(468), around)
    np.testing.assert_array_equal(moved[others], mesh[others])
    np.testing.assert_allclose(moved[EYE_RINGS[1], :2], eyes[1, :16] + 1, rtol=1e-5)
    near, far = (np.abs(moved - mesh)[ring[1], :2].mean() for ring in AROUND_EYES)
    lids = np.abs(eyes[1, :16] + 1 - mesh[EYE_RINGS[1], :2]).mean()
    assert lids > near > far > 0


def test_the_far_eye_of_a_turned_head_is_the_near_one_mirrored(face) -> None:
    crop, mesh, eyes = face
    right, left = eye_pair(mesh, eyes)
    assert visible_pair((right, left)) == (right, left)
    narrow = eyes.copy()
    narrow[1, :, 0] = narrow[1, 8, 0] + 0.5 * (narrow[1, :, 0] - narrow[1, 8, 0])
    right, left = eye_pair(mesh, narrow)
    assert visible_pair((right, left)) == (right, right)


def test_open_eyes_are_trusted_and_closed_ones_are_not(face) -> None:
    _, mesh, eyes = face
    assert eye_trust(eye_pair(mesh, eyes)) == 1
    closed = eyes.copy()
    closed[1, 1:8] = closed[1, 15:8:-1]
    assert eye_trust(eye_pair(mesh, closed)) == 0


def test_lowered_lids_are_drawn_in_the_colour_of_the_face(face) -> None:
    crop, mesh, eyes = face
    closed = eyes.copy()
    closed[:, 1:8] = closed[:, 15:8:-1]
    assert (lowered_share(mesh, eyes) < 0.3).all() and (lowered_share(mesh, closed) == 1).all()
    target = np.full_like(crop, (90, 120, 200))  # blue skin without eyes
    made = crop.copy()
    draw_lids(made, target, mesh, closed)
    where = cv2.erode(opening(eyes).astype(np.uint8), np.ones((3, 3))) > 0
    around = cv2.dilate(opening(eyes).astype(np.uint8), np.ones((25, 25))) > 0
    skin = crop[around & ~opening(eyes)].mean(axis=0)
    assert np.abs(made[where].mean(axis=0) - skin).max() < 25 and made[where].std(axis=0).max() < 25
    untouched = crop.copy()
    draw_lids(untouched, target, mesh, with_open_lids(mesh, eyes))
    np.testing.assert_array_equal(untouched, crop)


def with_open_lids(mesh: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """The eyes with the mesh's own lids."""
    opened = eyes.copy()
    for eye, ring in enumerate(EYE_RINGS):
        opened[eye, :16] = mesh[ring, :2]
    return opened


def test_eyes_beyond_the_crop_are_no_error(face) -> None:
    crop, mesh, eyes = face
    made = crop.copy()
    draw_eyes(made, mesh - 500, eyes - 500, crop, eye_pair(mesh, eyes))
    draw_lids(made, crop, mesh - 500, eyes - 500)
    np.testing.assert_array_equal(made, crop)
