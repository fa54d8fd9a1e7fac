"""The photo's detail in large faces: a face pasted back onto its own sharp picture must come nearer
to it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.composite import Compositor
from swaptalk.faces.editing.detail import PhotoDetail
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.mask import face_mask, mouth_mask
from swaptalk.faces.geometry.align import Alignment, crop_face
from swaptalk.faces.geometry.topology import LEFT_EYE, OUTER_LIPS, RIGHT_EYE

#: The crop lies in the picture twice as large, unturned, at this place.
PLACE = 100
ALIGNMENT = Alignment(np.array([[0.5, 0, -0.5 * PLACE - 0.25], [0, 0.5, -0.5 * PLACE - 0.25]]))
INSIDE = slice(PLACE, PLACE + 512), slice(PLACE, PLACE + 512)


@pytest.fixture(scope="module")
def sharp(astronaut_face) -> tuple[np.ndarray, FacePhoto]:
    """A picture of a face with pores that the crop is too small for, and the photo of it."""
    crop, mesh, _ = astronaut_face
    rng = np.random.default_rng(5)
    pores = cv2.GaussianBlur(rng.normal(0, 1, (512, 512)).astype(np.float32), (0, 0), 0.8)
    large = cv2.resize(crop, (512, 512), interpolation=cv2.INTER_CUBIC)
    large = np.clip(large * (1 + 0.12 * pores[..., None]), 0, 255).astype(np.uint8)
    picture = cv2.copyMakeBorder(large, PLACE, PLACE, PLACE, PLACE, cv2.BORDER_REFLECT_101)
    photo = FacePhoto(crop_face(picture, ALIGNMENT), mesh, crop_face(picture, ALIGNMENT, 2))
    return np.asarray(picture, np.uint8), photo


@pytest.fixture(scope="module")
def soft(sharp) -> np.ndarray:
    """The face as networks give it."""
    return np.asarray(cv2.GaussianBlur(sharp[1].crop, (0, 0), 1.0), np.uint8)


def pasted(picture, face, mesh, detail) -> np.ndarray:
    frame = None if detail is None else detail(mesh, ALIGNMENT)
    return Compositor()(picture, face, ALIGNMENT, mesh, frame)


def within(points: np.ndarray, grow: int = 0) -> np.ndarray:
    """Pixels (512, 512) of the enlarged crop in a ring of the mesh, grown or (negative) shrunk."""
    canvas = np.zeros((512, 512), np.uint8)
    cv2.fillPoly(canvas, [cv2.convexHull(np.round(2 * points[:, :2]).astype(int))], 1)
    kernel = np.ones((2 * abs(grow) + 1,) * 2, np.uint8)
    return (cv2.dilate if grow > 0 else cv2.erode)(canvas, kernel) > 0


def high_pass(picture: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey - cv2.GaussianBlur(grey, (0, 0), 2.4)


def test_the_fine_crop_lies_on_the_crop(sharp) -> None:
    picture, photo = sharp
    np.testing.assert_array_equal(photo.fine, picture[INSIDE])
    shrunk = cv2.resize(photo.fine, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - photo.crop).mean() < 1


def test_pores_come_back_and_nothing_else_changes(sharp, soft) -> None:
    picture, photo = sharp
    detail = PhotoDetail([photo])
    plain, made = (pasted(picture, soft, photo.mesh, one) for one in (None, detail))
    mask = cv2.resize(face_mask(photo.mesh), (512, 512))
    skin = mask > 0.9
    for ring in (LEFT_EYE, RIGHT_EYE, OUTER_LIPS):
        hole = photo.mesh[ring]
        skin &= ~within(hole, 12)
        core = within(hole, -5)
        assert core.any()
        assert np.abs(made[INSIDE][core].astype(int) - plain[INSIDE][core]).max() <= 1
    outside = np.ones(picture.shape[:2], bool)
    outside[INSIDE] = cv2.dilate(mask, np.ones((5, 5))) == 0
    np.testing.assert_array_equal(made[outside], picture[outside])
    of_picture, of_plain, of_made = (high_pass(x[INSIDE])[skin] for x in (picture, plain, made))
    strength = [np.abs(x).mean() for x in (of_picture, of_plain, of_made)]
    assert strength[1] < 0.5 * strength[0] and 0.7 < strength[2] / strength[0] < 1.3
    # They are the person's own pores, each in its place.
    assert np.corrcoef(of_picture, of_made)[0, 1] > 0.9 > np.corrcoef(of_picture, of_plain)[0, 1]
    error = [np.abs(x[INSIDE].astype(int) - picture[INSIDE])[skin].mean() for x in (plain, made)]
    assert error[1] < 0.6 * error[0]


def test_a_speaking_mouth_gets_none(sharp, soft) -> None:
    picture, photo = sharp
    plain, spoken, silent = (
        pasted(picture, soft, photo.mesh, one)[INSIDE]
        for one in (None, PhotoDetail([photo], spoken=True), PhotoDetail([photo]))
    )
    mouth = cv2.resize(mouth_mask(photo.mesh), (512, 512)) > 0.995
    assert mouth.any() and not np.array_equal(silent[mouth], plain[mouth])
    np.testing.assert_array_equal(spoken[mouth], plain[mouth])
    upper = slice(120, 170)
    assert not np.array_equal(spoken[upper], plain[upper])


def test_larger_faces_get_it_at_the_same_places(sharp, soft) -> None:
    picture, photo = sharp
    detail = PhotoDetail([photo])
    plain, made = (pasted(picture, soft, photo.mesh, one) for one in (None, detail))
    height, width = picture.shape[:2]
    double = np.asarray(cv2.resize(picture, (2 * width, 2 * height)), np.uint8)
    linear = ALIGNMENT.matrix[:, :2]
    offset = ALIGNMENT.matrix[:, 2] - linear @ [0.25, 0.25]  # resize keeps pixel edges
    twice = Alignment(np.concatenate([linear / 2, offset[:, None]], axis=1))
    frame = detail(photo.mesh, twice)
    large = Compositor()(double, soft, twice, photo.mesh, frame)
    small = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    skin = cv2.resize(face_mask(photo.mesh), (512, 512)) > 0.9
    of_small, of_plain, of_made = (high_pass(x[INSIDE])[skin] for x in (small, plain, made))
    assert np.corrcoef(of_small, of_made)[0, 1] > 0.9 > np.corrcoef(of_plain, of_made)[0, 1]


def test_off_where_there_is_nothing_to_gain(sharp, soft) -> None:
    picture, photo = sharp
    detail = PhotoDetail([photo])
    assert detail(photo.mesh, Alignment(np.array([[1 / 1.05, 0, 0], [0, 1 / 1.05, 0]]))) is None
    assert PhotoDetail([replace(photo, fine=None)])(photo.mesh, ALIGNMENT) is None
    assert PhotoDetail([photo], strength=0)(photo.mesh, ALIGNMENT) is None
    # A target that is less sharp than the new face gets nothing sharper.
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 5), np.uint8)
    np.testing.assert_array_equal(
        pasted(blurred, soft, photo.mesh, detail), pasted(blurred, soft, photo.mesh, None)
    )


def test_none_where_result_and_photo_disagree(sharp, soft) -> None:
    _, photo = sharp
    frame = PhotoDetail([photo])(photo.mesh, ALIGNMENT)
    striped = soft.copy()
    y, x = np.mgrid[110:150, 70:110]
    striped[110:150, 70:110] = (110 + 60 * np.sin((x + y) / 3))[..., None]
    weight = frame.compare(striped).weight
    assert weight[60:70, 40:50].max() < 0.1 < 0.9 < frame.compare(soft).weight[60:70, 40:50].min()


def test_between_two_photos_detail_gives_way_softly(sharp) -> None:
    _, photo = sharp
    other = replace(photo, fine=np.asarray(photo.fine[::-1], np.uint8))
    assert PhotoDetail([photo, other])(photo.mesh, ALIGNMENT) is None
    turned = replace(other, mesh=photo.mesh * [0.6, 1, 1] + [50, 0, 0])
    both, alone = (PhotoDetail(one)(photo.mesh, ALIGNMENT) for one in ([turned, photo], [photo]))
    np.testing.assert_array_equal(both.detail, alone.detail)
    share = both.zone.max() / alone.zone.max()
    assert 0.1 < share < 0.9
    np.testing.assert_allclose(both.zone, share * alone.zone, atol=1e-6)


def test_the_amount_is_smoothed_and_goes_on_where_it_was(sharp, soft) -> None:
    picture, photo = sharp
    frame = PhotoDetail([photo])(photo.mesh, ALIGNMENT)
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 5), np.uint8)
    first, second = Compositor(), Compositor()
    first(picture, soft, ALIGNMENT, photo.mesh, frame)
    second.state = first.state
    results = [one(blurred, soft, ALIGNMENT, photo.mesh, frame) for one in (first, second)]
    np.testing.assert_array_equal(*results)
    sharpness = [
        np.abs(high_pass(x)[300:400, 260:440]).mean()
        for x in (results[0], pasted(blurred, soft, photo.mesh, None))
    ]
    assert sharpness[0] > 1.5 * sharpness[1]
