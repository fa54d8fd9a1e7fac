"""The recogniser tells two people apart and knows one again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.assets.catalogue import resolve
from swaptalk.errors import SwapTalkError
from swaptalk.faces.detection.analyser import Vision
from swaptalk.faces.detection.recognise import FaceRecogniser
from swaptalk.media.image import read_image


def test_same_and_different_people(photo: Path, other_photo: Path) -> None:
    try:
        recognise, vision = (
            FaceRecogniser(resolve("mobilefacenet", progress=False)),
            Vision(progress=False),
        )
    except SwapTalkError as error:
        pytest.skip(f"face models are not to be had: {error}")
    first, second = read_image(photo), read_image(other_photo)
    smaller = cv2.resize(first, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    again = cv2.convertScaleAbs(smaller, alpha=0.8, beta=9)
    vectors = [
        recognise(picture, vision.faces(picture)[0])
        for picture in (first, np.asarray(again), second)
    ]
    a, b, c = (vector / np.linalg.norm(vector) for vector in vectors)
    assert a.shape == (192,)
    assert a @ b > 0.8
    assert a @ c < 0.4
