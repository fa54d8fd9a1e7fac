"""Photos that show teeth, on faces whose mouths are narrower."""

from __future__ import annotations

import cv2
import numpy as np

from swaptalk.faces.editing.bare_lips import bare_lips
from swaptalk.faces.editing.face_composite import composite_face
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.geometry.topology import INNER_LIPS, OUTER_LIPS


def filled(ring: np.ndarray, room: int) -> np.ndarray:
    """A ring of points, so many pixels wider, (256, 256) bool."""
    canvas = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(canvas, [np.round(ring[:, :2]).astype(np.int32)], (1,))
    return cv2.dilate(canvas, np.ones((2 * room + 1, 2 * room + 1), np.uint8)) > 0


def with_teeth(crop: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """White teeth that reach a little over the lips of the mesh."""
    drawn = crop.copy()
    drawn[filled(mesh[INNER_LIPS], 2)] = 255
    return drawn


def test_lips_take_the_place_of_teeth_and_nothing_else_changes(astronaut_face) -> None:
    crop, mesh, _ = astronaut_face  # she smiles
    made = bare_lips(with_teeth(crop, mesh), mesh)
    around = filled(mesh[INNER_LIPS], 6)
    np.testing.assert_array_equal(made[~around], crop[~around])
    lips = filled(mesh[OUTER_LIPS], 0) & around
    assert made[lips].max(axis=1).mean() < 230


def test_a_closed_mouth_stays_as_it_is(hopper_face) -> None:
    crop, mesh, _ = hopper_face
    assert bare_lips(crop, mesh) is crop


def test_no_teeth_lie_beside_a_narrow_mouth(astronaut_face, hopper_face) -> None:
    crop, mesh, _ = astronaut_face
    photo = FacePhoto(with_teeth(crop, mesh), mesh)
    target, narrow, _ = hopper_face
    narrow = narrow.copy()
    lips = np.union1d(INNER_LIPS, OUTER_LIPS)
    middle = narrow[lips, :2].mean(axis=0)
    narrow[lips, :2] = middle + (0.6, 1.3) * (narrow[lips, :2] - middle)
    made = composite_face([photo], target, narrow)
    around = filled(made.mesh[OUTER_LIPS], 10)
    assert (made.picture[around].min(axis=1) > 165).sum() < 5
