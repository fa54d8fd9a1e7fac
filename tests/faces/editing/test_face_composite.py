"""The classical composite: what is the source's, what stays the target's, and how photos share the
work."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.eye_network import measure_eyes
from swaptalk.faces.editing.eyewear import Eyewear
from swaptalk.faces.editing.face_composite import (
    CompositeOptions,
    composite_face,
    photo_shares,
    shape_difference,
)
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.mesh_warp import skin_weight
from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.identity_shape import normalised_shape
from swaptalk.faces.geometry.pose import Pose, rotate_mesh
from swaptalk.faces.geometry.topology import (
    AROUND_EYES,
    CANONICAL_MESH,
    EYE_RINGS,
    FACE_OVAL,
    INNER_LIPS,
    LEFT_EYE,
)

from .test_eyewear import with_dark_glasses, with_glasses


@pytest.fixture(scope="module")
def source(hopper_face) -> FacePhoto:
    return FacePhoto(hopper_face[0], hopper_face[1]).uncovered()


def inside(points: np.ndarray, shrink: int) -> np.ndarray:
    mask = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(mask, [np.round(points[:, :2]).astype(int)], 1)
    return cv2.erode(mask, np.ones((shrink, shrink))) > 0


def apart(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b)[where].mean())


def test_surroundings_and_the_inside_of_the_mouth_stay(source, astronaut_face) -> None:
    target, mesh, _ = astronaut_face
    made = composite_face([source], target, mesh)
    outside = ~inside(mesh[FACE_OVAL], 1)
    outside &= cv2.erode(outside.astype(np.uint8), np.ones((17, 17))) > 0
    np.testing.assert_array_equal(made.picture[outside], target[outside])
    core = inside(mesh[INNER_LIPS], 5)
    assert core.any() and apart(made.picture, target, core) < 3
    assert apart(made.picture, target, inside(mesh[FACE_OVAL], 61)) > 4
    eyes = np.concatenate([*EYE_RINGS, *(ring for pair in AROUND_EYES for ring in pair)])
    others = np.setdiff1d(np.arange(468), eyes)
    np.testing.assert_array_equal(made.mesh[others], mesh[others])
    assert made.mask.max() > 0.999 and made.mask.min() == 0


def test_the_source_eyes_look_where_the_target_looks(source, astronaut_face) -> None:
    target, mesh, _ = astronaut_face
    core = inside(mesh[LEFT_EYE], 5)
    kept = composite_face([source], target, mesh, options=CompositeOptions(own_eyes=False))
    assert apart(kept.picture, target, core) < 3
    made = composite_face([source], target, mesh)
    assert apart(made.picture, target, core) > 6
    wanted, found = measure_eyes(target, mesh), measure_eyes(made.picture, made.mesh)
    assert np.linalg.norm(found[:, 16] - wanted[:, 16], axis=1).max() < 4


@pytest.fixture(scope="module")
def blink(astronaut_face) -> np.ndarray:
    """The target with skin painted over both eyes and lashes where they end."""
    crop, mesh, _ = astronaut_face
    closed = crop.copy()
    skin = tuple(int(v) for v in np.median(crop[150:170, 60:90].reshape(-1, 3), axis=0))
    for ring in EYE_RINGS:
        points = np.round(mesh[ring, :2]).astype(np.int32)
        cv2.fillPoly(closed, [points], skin)
        cv2.polylines(closed, [points[[0, *range(15, 7, -1)]]], False, (40, 25, 20), 2)
    return closed


def test_eyes_close_when_the_target_blinks(source, astronaut_face, blink) -> None:
    target, mesh, _ = astronaut_face
    opened, closed = (composite_face([source], picture, mesh) for picture in (target, blink))
    heights = [
        np.linalg.norm(eyes[:, 4] - eyes[:, 12], axis=1)
        for eyes in (measure_eyes(made.picture, made.mesh) for made in (opened, closed))
    ]
    assert (heights[1] < 0.75 * heights[0]).all()


def test_the_face_gets_the_source_shape_and_the_target_pose(source, astronaut_face, mesh) -> None:
    target, points, _ = astronaut_face
    own = normalised_shape(points)
    difference = shape_difference([source], own)
    made = composite_face([source], target, points, difference)
    shape = normalised_shape(made.mesh)
    assert np.linalg.norm(shape - source.shape) < 0.95 * np.linalg.norm(own - source.shape)
    assert not shape_difference([source], own, 0.0).any()


def test_light_follows_the_target(source, astronaut_face) -> None:
    target, mesh, _ = astronaut_face
    dark = (target * 0.5).astype(np.uint8)
    bright, dim = (
        composite_face([source], t, mesh).picture[110:150, 100:156].mean() for t in (target, dark)
    )
    assert 0.42 < dim / bright < 0.58


def test_grey_and_sepia_pictures_stay_so(source, astronaut_face) -> None:
    target, mesh, _ = astronaut_face
    grey = cv2.cvtColor(cv2.cvtColor(target, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    made = composite_face([source], grey, mesh).picture.astype(int)
    assert np.ptp(made, axis=-1).max() <= 2
    sepia = np.clip(grey * np.array([1.0, 0.85, 0.65]), 0, 255).astype(np.uint8)
    made = composite_face([source], sepia, mesh).picture.astype(float)
    face = inside(mesh[FACE_OVAL], 21) & (made[..., 0] > 40)
    apart = np.abs(made[face, 2] / made[face, 0] - 0.65)
    assert apart.max() < 0.05


def test_a_photo_in_orange_light_gets_the_targets_skin_without_patches(
    source, astronaut_face
) -> None:
    target, mesh, _ = astronaut_face
    orange = source.crop.astype(float) * np.array([1.0, 0.55, 0.2])
    lamp = FacePhoto(np.round(orange).astype(np.uint8), source.mesh)
    skin = skin_weight(mesh, 256) > 0.9
    hues = []
    for photo in (source, lamp):
        made = composite_face([photo], target, mesh).picture.astype(float) + 1
        hue = np.log(made[..., 2] / made[..., 0])
        hues.append(hue[skin & (made[..., 1] > 50)])
    wanted = np.log((target[skin].astype(float) + 1)[:, 2] / (target[skin][:, 0] + 1.0))
    assert abs(np.median(hues[1]) - np.median(wanted)) < 0.08
    assert hues[1].std() < 1.3 * hues[0].std()


def test_place_of_glasses_is_left_to_the_target(source, astronaut_face) -> None:
    target, mesh, _ = astronaut_face
    made = composite_face([source], target, mesh, worn=Eyewear.OTHER)
    eyes = (
        slice(int(mesh[159, 1]) - 4, int(mesh[145, 1]) + 4),
        slice(int(mesh[33, 0]), int(mesh[263, 0])),
    )
    assert made.mask[eyes].max() < 0.05
    assert made.mask[int(mesh[0, 1]) - 12, int(mesh[0, 0])] > 0.5


def test_so_are_the_eyes_that_the_sources_dark_glasses_hide(astronaut_face, hopper_face) -> None:
    crop, mesh, _ = astronaut_face
    photo = FacePhoto(with_dark_glasses(crop, mesh), mesh).uncovered()
    target, target_mesh, _ = hopper_face
    made = composite_face([photo], target, target_mesh)
    assert made.kept is not None
    for ring in EYE_RINGS:
        eye = inside(target_mesh[ring], 0)
        assert made.mask[eye].max() < 0.05
        assert made.kept[eye].min() > 0.95


def test_nothing_dark_is_left_of_the_sources_glasses(astronaut_face) -> None:
    """The network looks at the whole photo, the eyes that nobody sees included."""
    crop, mesh, _ = astronaut_face
    dark = with_dark_glasses(crop, mesh)
    made = FacePhoto(dark, mesh).uncovered().crop
    lens = np.abs(dark.astype(int) - crop).max(axis=2) > 60
    assert (
        np.abs(made.astype(int) - crop)[lens].mean()
        < 0.3 * np.abs(dark.astype(int) - crop)[lens].mean()
    )


def test_the_sources_eyes_are_behind_the_targets_rims(source, astronaut_face) -> None:
    target, mesh, _ = astronaut_face
    drawn = with_glasses(target, mesh)
    made = composite_face([source], drawn, mesh, worn=Eyewear.RIMS)
    assert made.kept is not None
    rims = made.kept > 0.9
    assert rims.sum() > 500
    assert np.abs(made.picture[rims].astype(int) - drawn[rims]).mean() < 12
    without = composite_face([source], target, mesh).picture
    eyes = np.zeros((256, 256), bool)
    for ring in EYE_RINGS:
        eyes |= inside(mesh[ring], 0)
    assert made.mask[eyes].min() > 0.9
    to_source, to_target = (
        np.abs(made.picture[eyes].astype(int) - one[eyes]).mean() for one in (without, drawn)
    )
    assert to_source < 0.5 * to_target


def test_of_several_photos_the_one_in_the_frame_pose_serves_and_none_pops(source) -> None:
    crop, mesh = source.crop, source.mesh
    photos = [FacePhoto(*turn_face(crop, mesh, Pose(yaw, 0, 0))) for yaw in (-18.0, 0.0, 18.0)]
    yaws = np.linspace(-18, 18, 73)
    shares = np.array(
        [photo_shares(photos, rotate_mesh(mesh, Pose(float(yaw), 0, 0))) for yaw in yaws]
    )
    assert shares[0].argmax() == 0 and shares[36].argmax() == 1 and shares[-1].argmax() == 2
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert np.abs(np.diff(shares, axis=0)).max() < 0.25, "half a degree changes little"


def test_one_photo_is_taken_as_it_is(source) -> None:
    np.testing.assert_array_equal(photo_shares([source], CANONICAL_MESH), [1.0])
