"""What makes a photo a poor source is named, with the place and what to do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.photo_check import photo_warnings
from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.align import Alignment
from swaptalk.faces.geometry.pose import Pose
from swaptalk.faces.geometry.topology import INNER_LIPS

from .test_eyewear import with_glasses
from .test_hair import before_the_mouth

AS_IT_IS = Alignment(np.array([[1.0, 0, 0], [0, 1.0, 0]]))


def codes(crop: np.ndarray, mesh: np.ndarray, alignment: Alignment = AS_IT_IS) -> set[str]:
    return {warning.code for warning in photo_warnings(crop, mesh, alignment)}


@pytest.fixture(scope="module")
def good(hopper_face) -> tuple[np.ndarray, np.ndarray]:
    return hopper_face[0], hopper_face[1]


def test_each_fault_is_named(good) -> None:
    crop, mesh = good
    fine = codes(crop, mesh)
    assert not fine & {"turned", "blurred", "small", "mouth", "light"}
    assert "blurred" in codes(cv2.GaussianBlur(crop, (0, 0), 4), mesh) - fine
    ramp = np.exp(np.linspace(-1.2, 1.2, 256))[None, :, None]
    side = np.clip(crop * 0.5 * ramp, 0, 255).astype(np.uint8)
    assert "light" in codes(side, mesh) - fine
    assert "turned" in codes(*turn_face(crop, mesh, Pose(32, 0, 0))) - fine
    small = Alignment(np.array([[2.5, 0, 0], [0, 2.5, 0]]))
    assert "small" in codes(crop, mesh, small) - fine
    opened = mesh.copy()
    opened[INNER_LIPS[11:], 1] += 25
    assert "mouth" in codes(crop, opened) - fine


def test_covered_foreheads_and_glasses(astronaut_face) -> None:
    crop, mesh, _ = astronaut_face
    fine = codes(crop, mesh)
    covered = crop.copy()
    top, bottom = int(mesh[10, 1]), int(mesh[9, 1])
    covered[top:bottom] = (20, 15, 10)
    assert "hair" in codes(covered, mesh) - fine
    assert "glasses" in codes(with_glasses(crop, mesh), mesh) - fine


def test_a_microphone_before_the_mouth_is_no_beard(good) -> None:
    crop, mesh = good
    found = codes(before_the_mouth(crop, mesh), mesh)
    assert "covered" in found and "beard" not in found


def test_the_region_lies_in_the_photo(good) -> None:
    crop, mesh = good
    half = Alignment(np.array([[0.5, 0, -10], [0, 0.5, -20]]))
    (warning,) = [
        one
        for one in photo_warnings(cv2.GaussianBlur(crop, (0, 0), 4), mesh, half)
        if one.code == "blurred"
    ]
    left, top, right, bottom = warning.region
    expected = half.to_image(mesh[:, :2])
    np.testing.assert_allclose([left, top], expected.min(axis=0), atol=1e-3)
    np.testing.assert_allclose([right, bottom], expected.max(axis=0), atol=1e-3)
    assert warning.message and warning.remedy
