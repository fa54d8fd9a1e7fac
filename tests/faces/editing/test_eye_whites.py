"""Whites of eyes get the colour that the target's have."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.eye_network import measure_eyes
from swaptalk.faces.editing.eye_whites import match_whites
from swaptalk.faces.editing.light import luma

Face = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def face(astronaut_face) -> Face:
    crop, mesh, _ = astronaut_face
    return crop, measure_eyes(crop, mesh)


def openings(eyes: np.ndarray, grown: int = 0) -> np.ndarray:
    mask = np.zeros((256, 256), np.uint8)
    for eye in eyes:
        cv2.fillPoly(mask, [np.round(eye[:16]).astype(int)], 1)
    return cv2.dilate(mask, np.ones((2 * grown + 1,) * 2)) > 0


def hue(picture: np.ndarray, where: np.ndarray) -> float:
    mean = picture[where].astype(float).mean(axis=0)
    return float(np.log(mean[2] / mean[0]))


def test_blue_whites_become_the_targets(face: Face) -> None:
    crop, eyes = face
    blue = np.clip(crop * np.array([0.7, 1.0, 1.4]), 0, 255).astype(np.uint8)
    made = blue.copy()
    match_whites(made, eyes, crop, eyes)
    inside = openings(eyes)
    wrong, left = (abs(hue(one, inside) - hue(crop, inside)) for one in (blue, made))
    assert wrong > 0.5 and left < 0.5 * wrong
    assert np.abs(luma(made) - luma(blue))[inside].mean() < 3
    np.testing.assert_array_equal(made[~openings(eyes, 4)], blue[~openings(eyes, 4)])


def test_equal_eyes_stay_as_they_are(face: Face) -> None:
    crop, eyes = face
    made = crop.copy()
    match_whites(made, eyes, crop, eyes)
    assert np.abs(made.astype(int) - crop).max() <= 1


def test_whites_never_become_more_coloured(face: Face) -> None:
    crop, eyes = face
    red = np.clip(crop * np.array([1.5, 0.85, 0.85]), 0, 255).astype(np.uint8)
    made = crop.copy()
    match_whites(made, eyes, red, eyes)
    np.testing.assert_array_equal(made, crop)


def test_whites_do_not_glow(face: Face) -> None:
    crop, eyes = face
    inside = openings(eyes)
    dim = (crop * 0.5).astype(np.uint8)
    glowing = dim.copy()
    glowing[inside] = crop[inside]
    for before, least, most in ((glowing, 0.6, 0.85), (dim, 1, 1)):
        made = before.copy()
        match_whites(made, eyes, dim, eyes)
        share = float(luma(made)[inside].mean() / luma(before)[inside].mean())
        assert least <= share <= most


def test_whites_darker_than_the_skin_stay(face: Face) -> None:
    crop, eyes = face
    inside = openings(eyes)
    dim, shaded = crop.copy(), crop.copy()
    dim[inside] = crop[inside] * 0.8
    shaded[inside] = crop[inside] * 0.5
    made = dim.copy()
    match_whites(made, eyes, shaded, eyes)
    assert np.abs(luma(made) - luma(dim)).max() < 3


def test_closed_eyes_say_nothing(face: Face) -> None:
    crop, eyes = face
    closed = eyes.copy()
    closed[:, :16, 1] = closed[:, :1, 1]
    blue = np.clip(crop * np.array([0.7, 1.0, 1.4]), 0, 255).astype(np.uint8)
    made = blue.copy()
    match_whites(made, eyes, crop, closed)
    np.testing.assert_array_equal(made, blue)
    match_whites(made, eyes + 500, crop, eyes)  # outside of the picture
    np.testing.assert_array_equal(made, blue)
