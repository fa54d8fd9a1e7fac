"""Hair drawn on photographs is found, and what lies below comes from the other side of the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.faces.editing.face_composite import composite_face
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.face_texture import expected_face
from swaptalk.faces.editing.hair import (
    hair_mask,
    in_front,
    is_covered,
    mouth_is_hidden,
    uncover,
)
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mesh_warp import skin_weight
from swaptalk.faces.geometry.topology import LEFT_BROW, OUTER_LIPS, RIGHT_BROW

Face = tuple[NDArray[np.uint8], NDArray[np.float32]]


def with_lock(crop: NDArray[np.uint8], mesh: NDArray[np.float32]) -> Face:
    """A crop with a dark lock down one side of the face, and where it is."""
    covered = np.zeros(crop.shape[:2], np.uint8)
    side = mesh[[127, 93, 58], :2]
    line = np.concatenate([[side[0] - (-14, 90)], side + (14, 0)])
    cv2.polylines(covered, [np.round(line).astype(np.int32)], False, (255,), 22, cv2.LINE_AA)
    share = covered[..., None] / np.float32(255)
    strands = 40 + 25 * np.sin(np.arange(256) * 1.3)[None, :, None]
    drawn = crop * (1 - share) + strands * share
    return drawn.astype(np.uint8), np.asarray(covered, np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def face(hopper_face: Face) -> Face:
    return hopper_face[0], np.asarray(hopper_face[1], np.float32)


def test_a_lock_is_found_and_a_bare_face_is_let_be(face: Face) -> None:
    crop, mesh = face
    middle = slice(90, 190), slice(95, 160)
    assert hair_mask(crop, mesh)[middle].max() < 0.01
    picture, drawn = with_lock(crop, mesh)
    assert is_covered(picture, mesh)
    found = hair_mask(picture, mesh)
    on_face = (drawn > 0.5) & (skin_weight(mesh, 256) > 0)
    assert found[on_face].mean() > 0.8
    assert found[(drawn == 0) & (skin_weight(mesh, 256) > 0)].mean() < 0.3
    assert FacePhoto(picture, mesh).uncovered().crop.shape == crop.shape


def test_a_strand_beside_a_lock_is_found_too(face: Face) -> None:
    picture, drawn = with_lock(*face)
    strand = np.zeros(drawn.shape, np.uint8)
    start = np.round(face[1][127, :2] + (24, 20)).astype(np.int32)
    cv2.polylines(strand, [np.stack([start, start + (12, 50)])], False, (255,), 4, cv2.LINE_AA)
    picture[strand > 127] = (45, 40, 38)
    on_face = (strand > 127) & (skin_weight(face[1], 256) > 0)
    assert hair_mask(picture, face[1])[on_face].mean() > 0.8


def test_tips_of_a_fringe_are_found_and_brows_are_let_be(face: Face) -> None:
    crop, mesh = face
    bottom = round(float(mesh[10, 1] + 0.5 * (mesh[9, 1] - mesh[10, 1])))
    strands = 40 + 25 * np.sin(np.arange(256) * 1.3)[None, :, None]
    picture = crop.copy()
    picture[:bottom] = np.broadcast_to(strands, (bottom, 256, 3))
    x, y = round(float(mesh[9, 0])), bottom + 20
    tip = picture[bottom + 5 : bottom + 24, x - 3 : x + 4]
    tip[...] = 0.65 * tip
    found = hair_mask(picture, mesh)
    assert found[y, x] > 0.9
    for brow in (105, 334):
        x, y = np.round(mesh[brow, :2]).astype(int)
        assert found[y, x] < 0.3


def test_the_same_photo_has_the_same_mask(face: Face) -> None:
    picture, _ = with_lock(*face)
    masks = [hair_mask(picture, face[1]) for _ in range(3)]
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])


def test_below_a_fringe_the_brows_are_the_targets(face: Face) -> None:
    crop, mesh = face
    fringe = crop.copy()
    bottom = int(mesh[[105, 334], 1].max()) + 12
    strands = 40 + 25 * np.sin(np.arange(256) * 1.3)[None, :, None]
    fringe[30:bottom, 60:196] = np.broadcast_to(strands, (bottom - 30, 256, 3))[:, 60:196]
    bare, covered = (FacePhoto(picture, mesh).uncovered() for picture in (crop, fringe))
    assert bare.has_brows and not covered.has_brows
    target = np.ascontiguousarray(crop[:, :, ::-1])
    x, y = np.round(mesh[105, :2]).astype(int)
    assert composite_face([bare], target, mesh).mask[y, x] > 0.9
    assert composite_face([covered], target, mesh).mask[y, x] < 0.2
    assert composite_face([covered], target, mesh).mask[y + 60, x] > 0.9


def test_what_was_covered_looks_like_the_face_again(face: Face) -> None:
    crop, mesh = face
    picture, drawn = with_lock(crop, mesh)
    repaired = uncover(picture, mesh, drawn, expected_face(picture, mesh, drawn))
    inside = (drawn > 0.9) & (cv2.erode(skin_weight(mesh, 256), np.ones((9, 9))) > 0)
    apart = [np.abs(one.astype(float) - crop)[inside].mean() for one in (picture, repaired)]
    assert apart[1] < 0.45 * apart[0]
    outside = (skin_weight(mesh, 256) == 0) & (drawn == 0)
    np.testing.assert_array_equal(repaired[outside], picture[outside])


def test_where_both_sides_are_covered_the_light_of_the_face_goes_on(face: Face) -> None:
    crop, mesh = face
    drawn, picture = np.zeros(crop.shape[:2], np.float32), crop.copy()
    bottom = round(float(mesh[[105, 334], 1].min())) - 4
    drawn[:bottom] = 1
    picture[:bottom] = 30
    repaired = uncover(picture, mesh, drawn, expected_face(picture, mesh, drawn))
    forehead = (drawn > 0) & (cv2.erode(skin_weight(mesh, 256), np.ones((25, 25))) > 0)
    assert forehead.sum() > 1000
    apart = np.log(luma(repaired)) - np.log(luma(crop))
    assert np.abs(apart[forehead]).mean() < 0.12


def test_nothing_of_a_fringe_is_left_where_the_other_brow_is_hidden_in_part(
    astronaut_face: Face,
) -> None:
    """A fringe over one brow, hair at the temple over the end of the other."""
    crop, mesh = astronaut_face[0], np.asarray(astronaut_face[1], np.float32)
    covered = np.zeros((256, 256), np.uint8)
    hull = cv2.convexHull(np.round(mesh[LEFT_BROW, :2]).astype(np.int32))
    cv2.fillConvexPoly(covered, np.asarray(hull, np.int32), (255,))
    covered = np.asarray(cv2.dilate(covered, np.ones((15, 15))), np.uint8)
    fringe = covered > 0
    end = mesh[RIGHT_BROW, 0].min() + 0.3 * np.ptp(mesh[RIGHT_BROW, 0])
    rows = slice(
        *np.round([mesh[RIGHT_BROW, 1].min() - 8, mesh[RIGHT_BROW, 1].max() + 6]).astype(int)
    )
    covered[rows, : int(end)] = 255
    drawn = np.where(covered[..., None] > 0, np.uint8(8), crop)
    hidden = np.asarray(covered, np.float32) / np.float32(255)
    made = uncover(drawn, mesh, hidden, expected_face(drawn, mesh, hidden))
    assert made[fringe].max(axis=1).min() > 40


def test_the_finer_crop_is_repaired_alike(face: Face) -> None:
    picture, drawn = with_lock(*face)
    fine = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    likely = expected_face(picture, face[1], drawn)
    whole, large = (uncover(one, face[1], drawn, likely) for one in (picture, fine))
    small = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    apart = np.abs(small.astype(float) - whole)
    assert apart.mean() < 2


def test_a_targets_lock_stays_in_front_of_the_new_face(face: Face) -> None:
    crop, mesh = face
    picture, drawn = with_lock(crop, mesh)
    source = FacePhoto(np.ascontiguousarray(crop[:, :, ::-1]), mesh)
    lock = (drawn > 0.9) & (composite_face([source], crop, mesh, covered=False).mask > 0.9)
    assert lock.sum() > 100
    assert composite_face([source], picture, mesh).mask[lock].mean() < 0.2
    assert composite_face([source], picture, mesh, covered=False).mask[lock].mean() > 0.9


def test_what_is_no_face_is_not_covered_wholly(face: Face) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    assert in_front(noise, face[1]).max() == 0
    assert hair_mask(noise, face[1]).max() == 0


def before_the_mouth(crop: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A crop with the head of a microphone before its mouth, held from one side."""
    drawn = crop.copy()
    x, y = np.round(mesh[[13, 14], :2].mean(axis=0)).astype(int).tolist()
    cv2.line(drawn, (x - 10, y + 6), (0, y + 40), (60, 62, 70), 26, cv2.LINE_AA)
    cv2.circle(drawn, (x - 6, y + 4), 30, (120, 126, 140), -1, cv2.LINE_AA)
    return drawn


def test_a_microphone_before_the_mouth_leaves_a_mouth(face: Face) -> None:
    crop, mesh = face
    assert not mouth_is_hidden(crop, mesh)
    covered = before_the_mouth(crop, mesh)
    assert mouth_is_hidden(covered, mesh)
    lips = np.zeros((256, 256), np.uint8)
    cv2.fillConvexPoly(lips, cv2.convexHull(np.round(mesh[OUTER_LIPS, :2]).astype(int)), (1,))
    shown = FacePhoto(covered, mesh).uncovered().crop
    apart = [np.abs(one.astype(float) - crop)[lips > 0].mean() for one in (covered, shown)]
    assert apart[1] < 0.65 * apart[0]


def test_red_lips_are_lips(face: Face) -> None:
    crop, mesh = face
    red = crop.copy()
    lips = np.zeros((256, 256), np.uint8)
    cv2.fillConvexPoly(lips, cv2.convexHull(np.round(mesh[OUTER_LIPS, :2]).astype(int)), (1,))
    red[lips > 0] = (200, 10, 15)
    assert not mouth_is_hidden(red, mesh)
