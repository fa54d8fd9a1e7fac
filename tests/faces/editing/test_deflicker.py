"""Faces without flicker where the target stands still."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.faces.editing.deflicker import Deflicker
from swaptalk.faces.geometry.align import Alignment

STILL = Alignment(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))


@pytest.fixture(scope="module")
def face(astronaut_face) -> NDArray[np.uint8]:
    return astronaut_face[0]


def flickering(face: NDArray[np.uint8], count: int = 12) -> list[NDArray[np.uint8]]:
    """The face with spots that change from frame to frame by two grey levels."""
    rng = np.random.default_rng(0)
    spots = [cv2.resize(rng.normal(0, 2, (64, 64)), (256, 256)) for _ in range(count)]
    return [np.clip(face + spot[..., None], 0, 255).astype(np.uint8) for spot in spots]


def change(frames: list[NDArray[np.uint8]]) -> float:
    pairs = zip(frames[1:], frames[:-1], strict=True)
    return float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in pairs]))


def test_flicker_halves_where_the_target_stands_still(face: NDArray[np.uint8]) -> None:
    frames, deflicker = flickering(face), Deflicker()
    steady = [deflicker(frame, face, STILL) for frame in frames]
    np.testing.assert_array_equal(steady[0], frames[0])
    assert change(steady[3:]) < 0.5 * change(frames[3:])
    # The face stays what it is, and as sharp.
    assert (
        np.abs(steady[-1].astype(int) - face).mean() < np.abs(frames[-1].astype(int) - face).mean()
    )
    sharpness = [cv2.Laplacian(one, cv2.CV_32F).std() for one in (steady[-1], face)]
    assert sharpness[0] > 0.95 * sharpness[1]


def test_where_the_target_moves_nothing_changes(face: NDArray[np.uint8]) -> None:
    frames, deflicker = flickering(face, 2), Deflicker()
    deflicker(frames[0], np.zeros_like(face), STILL)
    np.testing.assert_array_equal(deflicker(frames[1], face, STILL)[60:200], frames[1][60:200])


def test_a_mouth_that_opens_over_a_still_target_leaves_no_ghost(face: NDArray[np.uint8]) -> None:
    opened, deflicker = face.copy(), Deflicker()
    cv2.ellipse(opened, (128, 190), (24, 12), 0, 0, 360, (30, 10, 10), -1)
    deflicker(face, face, STILL)
    made = deflicker(opened, face, STILL)
    assert np.abs(made[185:196, 112:145].astype(int) - opened[185:196, 112:145]).max() <= 2


def test_a_crop_that_moves_over_a_still_picture_is_followed(face: NDArray[np.uint8]) -> None:
    """The same picture, cut out three pixels further to the right: pixels of the frame before are
    taken from where they are now.
    """
    moved = Alignment(np.array([[1.0, 0.0, -3.0], [0.0, 1.0, 0.0]]))
    shifted, deflicker = np.roll(face, -3, axis=1), Deflicker()
    deflicker(face, face, STILL)
    made = deflicker(shifted, shifted, moved)
    assert np.abs(made[:, 8:-8].astype(int) - shifted[:, 8:-8]).max() <= 1


def test_it_goes_on_from_a_kept_state(face: NDArray[np.uint8]) -> None:
    frames, first, second = flickering(face, 6), Deflicker(), Deflicker()
    for frame in frames[:3]:
        first(frame, face, STILL)
    second.state = first.state
    for frame in frames[3:]:
        np.testing.assert_array_equal(first(frame, face, STILL), second(frame, face, STILL))
    first.reset()
    assert not first.state
    np.testing.assert_array_equal(first(frames[0], face, STILL), frames[0])
