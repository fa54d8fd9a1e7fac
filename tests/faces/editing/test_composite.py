import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.faces.editing.composite import Compositor, paste
from swaptalk.faces.editing.mask import face_mask, mouth_mask
from swaptalk.faces.geometry.align import CROP_SIZE, Alignment, crop_face, estimate_alignment

from ..conftest import find_mesh


@pytest.fixture(scope="module")
def scene(make_frame, detector, mesh):
    """720p picture, alignment, mesh in crop pixels."""
    picture = make_frame(noise=2)
    landmarks = find_mesh(picture, detector, mesh)
    alignment = estimate_alignment(landmarks.xy)
    return picture, alignment, alignment.to_crop(landmarks.points)


def _warped_mask(mask, alignment, shape):
    size = shape[1::-1]
    return cv2.warpAffine(
        mask, alignment.matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )


@pytest.mark.parametrize("region", ["face", "mouth"])
def test_outside_the_mask_nothing_changes(scene, region):
    picture, alignment, points = scene
    before = picture.copy()
    red = np.full((256, 256, 3), (255, 0, 0), np.uint8)
    result = Compositor(region)(picture, red, alignment, points)
    np.testing.assert_array_equal(picture, before)  # the input is left alone
    mask = _warped_mask(
        face_mask(points) if region == "face" else mouth_mask(points), alignment, picture.shape
    )
    outside = cv2.dilate(mask, np.ones((5, 5))) == 0
    assert outside.mean() > 0.8
    np.testing.assert_array_equal(result[outside], picture[outside])
    assert np.abs(result[mask > 0.99].astype(int) - picture[mask > 0.99]).mean() > 20


def test_the_same_face_comes_back_nearly_unchanged(scene):
    picture, alignment, points = scene
    result = Compositor()(picture, crop_face(picture, alignment), alignment, points)
    assert np.percentile(np.abs(result.astype(int) - picture)[result != picture], 99) < 25
    assert np.abs(result.astype(int) - picture)[result != picture].mean() < 5


@pytest.mark.parametrize(("scale", "limit"), [(0.4, 1.5), (0.9, 1.5), (1.2, 1.5), (2.5, 2.0)])
def test_paste_is_in_place_to_a_fraction_of_a_pixel(scale, limit):
    """A smooth pattern that is cut out and pasted back must not move, whatever the size of the
    face."""
    y, x = np.mgrid[:720, :1280].astype(np.float32)
    wave = 127 + 60 * np.sin(x / 9 + 0.3) + 60 * np.sin(y / 11)
    picture = np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)
    angle = 0.2
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    offset = np.full(2, 127.5) - linear @ np.array([640, 360])
    alignment = Alignment(np.concatenate([linear, offset[:, None]], axis=1))
    mask = np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    mask[40:216, 60:196] = 1
    crop = crop_face(picture, alignment)
    changed = _warped_mask(mask, alignment, picture.shape) == 1
    assert changed.sum() > 500
    result = paste(picture, crop, mask, alignment)
    assert np.abs(result.astype(int) - picture)[changed].mean() < limit
    # One crop pixel would be seen.
    moved = paste(picture, np.roll(crop, 1, axis=1), mask, alignment)
    if scale < 2:
        assert np.abs(moved.astype(int) - picture)[changed].mean() > 2 * limit


def test_colour_of_the_new_face_is_matched(scene):
    picture, alignment, points = scene
    tinted = np.clip(crop_face(picture, alignment) * np.array([0.85, 1.0, 1.15]), 0, 255).astype(
        np.uint8
    )
    mask = _warped_mask(face_mask(points), alignment, picture.shape) > 0.9
    matched = Compositor()(picture, tinted, alignment, points)
    plain = paste(picture, tinted, face_mask(points), alignment)
    errors = [
        np.abs(x[mask].mean(axis=0) - picture[mask].mean(axis=0)).max() for x in (matched, plain)
    ]
    assert errors[0] < 0.35 * errors[1]


def test_colour_is_steady_in_time(scene):
    picture, alignment, points = scene
    crop = crop_face(picture, alignment)
    rng = np.random.default_rng(0)
    compositor = Compositor()
    levels: list[float] = []
    for _ in range(25):
        flicker = np.clip(crop * rng.normal(1, 0.04), 0, 255).astype(np.uint8)
        result = (
            compositor(picture, crop, alignment, points)
            if not levels
            else compositor(picture, flicker, alignment, points)
        )
        levels.append(float(np.exp(compositor.state["gain"]).mean()))
    assert np.std(levels[5:]) < 0.02
    assert result.shape == picture.shape
    compositor.reset()
    assert "gain" not in compositor.state


def test_soft_face_is_sharpened_towards_the_target(scene):
    picture, alignment, points = scene
    soft = cv2.GaussianBlur(crop_face(picture, alignment), (0, 0), 1.2)
    mask = _warped_mask(face_mask(points), alignment, picture.shape) > 0.9

    def detail(image):
        return np.abs(image.astype(float) - cv2.GaussianBlur(image, (0, 0), 1.5))[mask].mean()

    sharpened = Compositor()(picture, soft, alignment, points)
    plain = paste(picture, soft, face_mask(points), alignment)
    assert detail(plain) < detail(sharpened) <= 1.05 * detail(picture)


def _hand_over_the_lower_rows(crop, mesh, before):
    """Stands for a network that sees a hand there."""
    covered = np.zeros((256, 256), np.float32)
    covered[180:] = 1
    return covered


def test_occluder_stays_visible(scene):
    picture, alignment, points = scene
    green = np.full((256, 256, 3), (0, 255, 0), np.uint8)
    result = Compositor("mouth", _hand_over_the_lower_rows)(picture, green, alignment, points)
    hidden = np.zeros((256, 256), np.float32)
    hidden[184:] = 1
    where = _warped_mask(hidden, alignment, picture.shape) == 1
    np.testing.assert_array_equal(result[where], picture[where])
    assert (result != picture).any()


@pytest.mark.parametrize("shift", [(-700, 0), (0, -500), (900, 600), (5000, 0)])
def test_face_at_and_beyond_the_edge(scene, shift):
    picture, alignment, points = scene
    matrix = alignment.matrix.copy()
    matrix[:, 2] -= matrix[:, :2] @ np.array(shift, float)
    result = Compositor()(picture, np.zeros((256, 256, 3), np.uint8), Alignment(matrix), points)
    assert result.shape == picture.shape and result.dtype == np.uint8


def test_empty_mask_is_a_copy(scene):
    picture, alignment, _ = scene
    result = paste(
        picture, np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), np.float32), alignment
    )
    np.testing.assert_array_equal(result, picture)
    assert result is not picture


def test_the_edge_does_not_tremble_with_the_landmarks(scene):
    """Noise of the mesh hardly moves the edge; a face that really moves takes the mask along."""
    picture, alignment, points = scene
    white, rng = np.full((256, 256, 3), 255, np.uint8), np.random.default_rng(0)
    noisy = [points + rng.normal(0, 0.7, points.shape).astype(np.float32) for _ in range(12)]
    compositor = Compositor()
    steady = [compositor(picture, white, alignment, mesh).astype(float) for mesh in noisy]
    single = [Compositor()(picture, white, alignment, mesh).astype(float) for mesh in noisy]

    def trembling(frames):
        return np.abs(np.diff(np.stack(frames), n=2, axis=0)).mean()

    assert trembling(steady[2:]) < 0.6 * trembling(single[2:])
    moved = points + np.array([0, 25, 0], np.float32)
    for _ in range(4):
        result = compositor(picture, white, alignment, moved)
    fresh = Compositor()(picture, white, alignment, moved)
    assert np.abs(result.astype(int) - fresh).mean() < 0.25 * np.abs(steady[-1] - fresh).mean()


def test_a_hand_that_comes_and_goes(scene):
    """It is kept at the latest one frame after it came, leaves no trace, and a compositor that goes
    on from a stored state does the same."""
    picture, alignment, points = scene
    green = np.full((256, 256, 3), (0, 255, 0), np.uint8)
    hand = [7 <= k < 12 for k in range(40)]
    frame = -1
    stored: dict[str, NDArray[np.float32]] = {}

    def find(crop, mesh, before):
        covered = np.zeros((256, 256), np.float32)
        covered[180:] = hand[frame]
        return covered

    hidden = np.zeros((256, 256), np.float32)
    hidden[184:] = 1
    where = _warped_mask(hidden, alignment, picture.shape) == 1
    one, other, kept = Compositor("mouth", find), Compositor("mouth", find), []
    for frame in range(40):
        result = one(picture, green, alignment, points)
        kept.append(bool((result[where] == picture[where]).all()))
        if frame >= 20:
            if frame == 20:
                other.state = stored
            np.testing.assert_array_equal(other(picture, green, alignment, points), result)
        stored = one.state
    assert kept[8:12] == [True] * 4 and not any(kept[:7]) and not any(kept[16:])
    assert not one.state["occlusion"].any()
