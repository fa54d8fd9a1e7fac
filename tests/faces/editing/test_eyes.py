"""Blinks are read from the picture, since the mesh hardly follows them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.eyes import closedness, eye_contrast
from swaptalk.faces.editing.face_composite import FacePhoto, composite_face
from swaptalk.faces.geometry.topology import LEFT_EYE, RIGHT_EYE


@pytest.fixture(scope="module")
def blink(astronaut_face) -> np.ndarray:
    """The same face with skin painted over both eyes."""
    crop, mesh, _ = astronaut_face
    closed = crop.copy()
    skin = tuple(int(v) for v in np.median(crop[150:170, 60:90].reshape(-1, 3), axis=0))
    for ring in (RIGHT_EYE, LEFT_EYE):
        cv2.fillPoly(closed, [np.round(mesh[ring, :2]).astype(np.int32)], skin)
    return closed


def test_closed_eyes_have_no_contrast(astronaut_face, blink) -> None:
    crop, mesh, _ = astronaut_face
    opened, closed = eye_contrast(crop, mesh), eye_contrast(blink, mesh)
    assert (opened > 0.8).all() and (closed < 0.5 * opened).all()
    assert closedness(opened, opened) == 0 and closedness(closed, opened) == 1
    one = np.array([opened[0], closed[1]])
    assert closedness(one, opened) == 1, "one eye speaks for both"


def test_lids_of_a_blink_stay_the_targets(astronaut_face, hopper_face, blink) -> None:
    crop, mesh, _ = astronaut_face
    source, opened = FacePhoto(hopper_face[0], hopper_face[1]), eye_contrast(crop, mesh)
    lash = tuple(np.round(mesh[159, :2] - [0, 4]).astype(int)[::-1])  # above the upper lid
    masks = [
        composite_face([source], picture, mesh, open_eyes=opened).mask[lash]
        for picture in (crop, blink)
    ]
    assert masks[0] > 0.9 and masks[1] < 0.1


def test_eyes_beyond_the_crop_are_no_error() -> None:
    mesh = np.full((468, 3), -50, np.float32)
    assert eye_contrast(np.zeros((256, 256, 3), np.uint8), mesh).tolist() == [0, 0]
