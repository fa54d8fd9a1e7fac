"""Strands and edges on a photo's skin are taken off, and what belongs to a face stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.mask import brows
from swaptalk.faces.editing.mesh_warp import polygon_mask, skin_weight
from swaptalk.faces.editing.skin_repair import repair_skin
from swaptalk.faces.geometry.topology import LEFT_EYE, OUTER_LIPS, RIGHT_EYE

Face = tuple[np.ndarray, np.ndarray]
NOTHING = np.zeros((256, 256), np.float32)


@pytest.fixture(scope="module")
def face(astronaut_face) -> Face:
    return astronaut_face[0], np.asarray(astronaut_face[1], np.float32)


def painted(crop: np.ndarray, points: np.ndarray, width: int, level: int = 35) -> np.ndarray:
    """A crop with a dark line through points."""
    line = np.zeros(crop.shape[:2], np.uint8)
    cv2.polylines(line, [np.round(points).astype(np.int32)], False, (255,), width, cv2.LINE_AA)
    share = line[..., None] / 255
    return (crop * (1 - share) + level * share).astype(np.uint8)


def skin_below_the_fringe(mesh: np.ndarray) -> np.ndarray:
    """Skin well inside the outline, (256, 256) bool."""
    inside = cv2.erode(skin_weight(mesh, 256), np.ones((15, 15))) > 0
    inside[: int(mesh[[105, 334], 1].max())] = False
    return np.asarray(inside)


def test_a_bare_face_is_let_be(face: Face) -> None:
    repair = repair_skin(*face, NOTHING, NOTHING)
    assert repair is None or repair.share[skin_below_the_fringe(face[1])].mean() < 0.02


def test_a_strand_is_taken_off_at_both_resolutions(face: Face) -> None:
    crop, mesh = face
    picture = painted(crop, mesh[[116, 117, 50, 101], :2], 6)
    where = np.abs(picture.astype(int) - crop).max(axis=2) > 60
    repair = repair_skin(picture, mesh, NOTHING, NOTHING)
    assert repair is not None
    fine = repair.applied(cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC))
    for repaired in (repair.applied(picture), cv2.resize(fine, (256, 256))):
        apart = [np.abs(x.astype(int) - crop)[where].mean() for x in (picture, repaired)]
        assert apart[1] < 0.2 * apart[0]
    far = cv2.dilate(where.astype(np.uint8), np.ones((25, 25))) == 0
    far &= skin_below_the_fringe(mesh)
    assert np.abs(repair.applied(picture).astype(int) - picture)[far].mean() < 1


def test_faint_traces_go_only_near_what_was_found(face: Face) -> None:
    crop, mesh = face
    trace, found = mesh[[117, 50], :2], NOTHING.copy()
    picture = np.asarray(0.25 * painted(crop, trace, 3) + 0.75 * crop, np.uint8)
    cv2.circle(found, tuple(np.round(trace[0] - (8, 0)).astype(int)), 16, (1,), -1)
    x, y = np.round(trace.mean(axis=0)).astype(int)
    shares = []
    for replaced in (NOTHING, found):
        repair = repair_skin(picture, mesh, replaced, NOTHING)
        shares.append(0.0 if repair is None else repair.share[y, x])
    assert shares[0] < 0.1 < 0.5 < shares[1]


@pytest.mark.parametrize("what", ["mole", "eyes", "folds", "kept"])
def test_what_belongs_to_the_face_stays(face: Face, what: str) -> None:
    crop, mesh = face
    picture, kept, place = crop.copy(), NOTHING, NOTHING > 0
    if what == "mole":
        cv2.circle(picture, tuple(np.round(mesh[205, :2]).astype(int)), 3, (60, 40, 30), -1)
        place = np.abs(picture.astype(int) - crop).max(axis=2) > 30
    elif what == "eyes":
        features = [polygon_mask(mesh[ring], 256) for ring in (LEFT_EYE, RIGHT_EYE, OUTER_LIPS)]
        place = np.maximum.reduce([*features, brows(mesh, 256, 0)]) > 0
        picture[place] //= 3
    elif what == "folds":
        for fold in ([129, 203, 206, 57], [358, 423, 426, 287]):
            picture = painted(picture, mesh[fold, :2], 4)
        place = np.abs(picture.astype(int) - crop).max(axis=2) > 60
    else:
        picture = painted(crop, mesh[[116, 117, 50, 101], :2], 6)
        place = np.abs(picture.astype(int) - crop).max(axis=2) > 60
        kept = np.ones_like(NOTHING)
    repair = repair_skin(picture, mesh, NOTHING, kept)
    assert repair is None or repair.share[place].mean() < 0.15


def test_photos_lose_a_strand(face: Face) -> None:
    crop, mesh = face
    picture = painted(crop, mesh[[116, 117, 50, 101], :2], 6)
    where = np.abs(picture.astype(int) - crop).max(axis=2) > 60
    photo = FacePhoto(picture, mesh, cv2.resize(picture, (512, 512))).uncovered()
    assert np.abs(photo.crop.astype(int) - crop)[where].mean() < 25
    assert photo.fine is not None
    assert np.abs(cv2.resize(photo.fine, (256, 256)).astype(int) - crop)[where].mean() < 25
    np.testing.assert_array_equal(photo.as_photographed, picture)
