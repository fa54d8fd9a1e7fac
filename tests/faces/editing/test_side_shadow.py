"""Hard shadows on one side are found, on photographs and nowhere else, and give way to the other
side."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mesh_warp import skin_weight
from swaptalk.faces.editing.side_shadow import shadow_mask
from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.pose import Pose

Face = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def face(astronaut_face) -> Face:
    return astronaut_face[0], np.asarray(astronaut_face[1], np.float32)


def shaded(face: Face, share: float = 0.35) -> tuple[np.ndarray, np.ndarray]:
    """The face with a hard shadow on its left half in the picture, and where that is."""
    crop, mesh = face
    dark = np.zeros(crop.shape[:2], np.float32)
    edge = np.round([[0, 0], mesh[10, :2], mesh[4, :2], mesh[152, :2], [0, 255]]).astype(np.int32)
    cv2.fillPoly(dark, [edge], (1,))
    soft = cv2.GaussianBlur(dark, (0, 0), 1.5)[..., None]
    return (crop * (1 - soft * (1 - share))).astype(np.uint8), dark


def test_a_hard_shadow_is_found_and_even_light_let_be(face: Face) -> None:
    crop, mesh = face
    assert not shadow_mask(crop, mesh).any()
    picture, dark = shaded(face)
    found, skin = shadow_mask(picture, mesh), skin_weight(mesh, 256) > 0
    assert found[(dark > 0.5) & skin].mean() > 0.7
    assert found[(dark < 0.5) & skin].mean() < 0.25


def test_a_photo_is_lit_on_both_sides_again(face: Face) -> None:
    picture, dark = shaded(face)
    repaired = FacePhoto(picture, face[1]).uncovered()
    where = (dark > 0.5) & (cv2.erode(skin_weight(face[1], 256), np.ones((25, 25))) > 0)
    before, after, real = (float(luma(x)[where].mean()) for x in (picture, repaired.crop, face[0]))
    assert before < 0.45 * real
    assert after == pytest.approx(real, rel=0.25)
    np.testing.assert_array_equal(repaired.as_photographed, picture)


@pytest.mark.parametrize("what", ["mole", "lamp", "even darkness"])
def test_what_is_no_shadow_of_one_side_is_let_be(face: Face, what: str) -> None:
    crop, mesh = face
    picture = crop.copy()
    if what == "mole":
        cv2.circle(picture, tuple(np.round(mesh[205, :2]).astype(int)), 5, (60, 40, 30), -1)
    elif what == "lamp":
        picture = (crop * 0.6).astype(np.uint8)
        cv2.circle(picture, tuple(np.round(mesh[425, :2]).astype(int)), 22, (250, 250, 250), -1)
    else:
        picture = (crop * 0.3).astype(np.uint8)
    assert not shadow_mask(picture, mesh).any()


def test_the_far_side_does_not_replace_the_near_one(face: Face) -> None:
    picture, _ = shaded(face)
    sides = [turn_face(picture, face[1], Pose(yaw, 0.0, 0.0)) for yaw in (-30.0, 30.0)]
    found = [bool(shadow_mask(turned, mesh).any()) for turned, mesh in sides]
    assert sorted(found) == [False, True]
