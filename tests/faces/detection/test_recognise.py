"""The recogniser tells two people apart and knows one again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.assets.catalogue import resolve
from swaptalk.errors import SwapTalkError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.detection.recognise import FaceRecogniser, MobileFaceNet
from swaptalk.faces.geometry.recognition_crop import (
    five_points,
    recognition_crop,
    recognition_matrix,
)
from swaptalk.media.image import read_image

from ..conftest import find_mesh


def test_same_and_different_people(photo: Path, other_photo: Path) -> None:
    try:
        recognise, analyser = (
            FaceRecogniser(resolve("mobilefacenet", progress=False)),
            FaceAnalyser(progress=False),
        )
    except SwapTalkError as error:
        pytest.skip(f"face models are not to be had: {error}")
    first, second = read_image(photo), read_image(other_photo)
    smaller = cv2.resize(first, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    again = cv2.convertScaleAbs(smaller, alpha=0.8, beta=9)
    vectors = [
        recognise(picture, analyser.faces(picture)[0])
        for picture in (first, np.asarray(again), second)
    ]
    a, b, c = (vector / np.linalg.norm(vector) for vector in vectors)
    assert a.shape == (192,)
    assert a @ b > 0.8
    assert a @ c < 0.4


def test_one_person_is_nearer_than_two(model, astronaut, hopper, detector, mesh) -> None:
    recogniser = MobileFaceNet(model("mobilefacenet"))
    points = find_mesh(astronaut, detector, mesh).points
    crop = recognition_crop(astronaut, points)
    found = five_points(points) @ recognition_matrix(five_points(points))[:, :2].T
    assert np.ptp(found[:, 0]) > 25
    darker = (recognition_crop(astronaut[::2, ::2], points / 2) * 0.8).astype(np.uint8)
    other = recognition_crop(hopper, find_mesh(hopper, detector, mesh).points)
    # Three: the network's fixed batch of two is filled up.
    a, b, c = recogniser.directions([crop, darker, other])
    assert np.linalg.norm(a) == pytest.approx(1, abs=1e-5)
    assert a @ b > 0.7
    assert a @ c < 0.4
    assert recogniser.directions([]).shape == (0, 192)
    assert np.allclose(recogniser.directions([other])[0], c, atol=1e-5)
