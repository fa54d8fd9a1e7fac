"""Beards are told from bare skin and stubble, and stay where they are."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.editing.beard import (
    Beard,
    beard_zone,
    beards_differ,
    measure_beard,
)
from swaptalk.faces.editing.face_composite import composite_face
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.photo_check import photo_warnings
from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.align import Alignment
from swaptalk.faces.geometry.pose import Pose

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


def test_only_what_would_be_cut_off_stays_away() -> None:
    assert beards_differ(NONE, FULL) and beards_differ(NONE, GOATEE) and beards_differ(FULL, NONE)
    assert not beards_differ(GOATEE, NONE)
    for one in (NONE, GOATEE, FULL):
        assert not beards_differ(one, one)


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
