"""Beards are told from bare skin and stubble, and stay where they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.beard import (
    Beard,
    Beards,
    beard_zone,
    compare_beards,
    measure_beard,
)
from swaptalk.faces.editing.face_composite import composite_face
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mesh_warp import skin_weight
from swaptalk.faces.editing.photo_check import photo_warnings
from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.align import Alignment
from swaptalk.faces.geometry.pose import Pose
from swaptalk.faces.geometry.topology import OUTER_LIPS

from ...beards import bearded

#: Points inside a beard, and above it.
CHIN, CHEEK, NOSE = 199, 50, 4
NONE, GOATEE, FULL = Beard(-3, 0), Beard(3, -0.1), Beard(4, -1)


@pytest.mark.parametrize("turned", [0, 20])
def test_beards_are_told_from_bare_skin_and_stubble(
    hopper_face, astronaut_face, turned: int
) -> None:
    for crop, mesh in (hopper_face[:2], astronaut_face[:2]):
        if turned:
            crop, mesh = turn_face(crop, mesh, Pose(turned, 0, 0))
        found = measure_beard([bearded(crop, mesh)], [mesh])
        assert found.grows and found.covers_jaw
        for other in (crop, bearded(crop, mesh, 0.1)):
            assert not measure_beard([other], [mesh]).grows


def test_several_pictures_decide_together(hopper_face) -> None:
    crop, mesh = hopper_face[:2]
    pictures = [bearded(crop, mesh)] * 3 + [crop]
    assert measure_beard(pictures, [mesh] * 4).grows


def test_what_becomes_of_beards() -> None:
    for source, target, becomes in (
        (NONE, GOATEE, Beards.KEPT),
        (NONE, FULL, Beards.KEPT),
        (FULL, NONE, Beards.SHAVEN),
        (GOATEE, NONE, Beards.ALIKE),
        (GOATEE, FULL, Beards.ALIKE),
        (FULL, GOATEE, Beards.ALIKE),
        (FULL, FULL, Beards.ALIKE),
        (NONE, NONE, Beards.ALIKE),
    ):
        assert compare_beards(source, target) is becomes


def test_a_beard_is_shaved_off_and_lips_stay(astronaut_face) -> None:
    crop, mesh = astronaut_face[0], np.asarray(astronaut_face[1], np.float32)
    hairy = bearded(crop, mesh)
    photo = FacePhoto(hairy, mesh, cv2.resize(hairy, (512, 512)))
    lips = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(lips, [np.round(mesh[OUTER_LIPS, :2]).astype(np.int32)], 1)
    bare = cv2.dilate(lips, np.ones((5, 5))) == 0
    far = cv2.dilate(beard_zone(mesh), np.ones((15, 15))) == 0
    rest = far | (cv2.erode(lips, np.ones((7, 7))) > 0)
    zone = (
        (beard_zone(mesh) > 0.95) & (cv2.erode(skin_weight(mesh, 256), np.ones((9, 9))) > 0) & bare
    )
    fine = photo.shaven.fine
    assert fine is not None
    for shaven in (photo.shaven.crop, cv2.resize(fine, (256, 256))):
        before, after = (
            np.abs(np.log(luma(one)) - np.log(luma(crop)))[zone].mean() for one in (hairy, shaven)
        )
        assert after < 0.35 * before
    assert np.abs(photo.shaven.crop[rest].astype(int) - hairy[rest]).mean() < 1
    assert photo.shaven.beard == photo.beard  # still known for what it is


def test_mouth_and_chin_stay_the_targets(hopper_face, astronaut_face) -> None:
    source, (target, mesh) = FacePhoto(*hopper_face[:2]), astronaut_face[:2]
    with_beard = bearded(target, mesh)
    plain = composite_face([source], with_beard, mesh, covered=False).mask
    kept = composite_face([source], with_beard, mesh, covered=False, beard=True).mask
    for point, stays in ((CHIN, True), (CHEEK, False), (NOSE, False)):
        x, y = np.round(mesh[point, :2]).astype(int)
        assert plain[y, x] > 0.4
        assert kept[y, x] < 0.1 if stays else kept[y, x] > 0.8 * plain[y, x]


def test_a_photos_beard_is_no_hair_in_front_of_it_and_is_named(hopper_face) -> None:
    crop, mesh = hopper_face[:2]
    photo = FacePhoto(bearded(crop, mesh), mesh)
    inner = beard_zone(mesh) > 0.99
    assert np.abs(photo.uncovered().crop[inner].astype(int) - photo.crop[inner]).mean() < 0.5
    as_it_is = Alignment(np.eye(2, 3))
    assert "beard" in {one.code for one in photo_warnings(photo.crop, mesh, as_it_is)}
    assert "beard" not in {one.code for one in photo_warnings(crop, mesh, as_it_is)}
