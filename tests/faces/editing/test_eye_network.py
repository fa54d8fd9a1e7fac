"""Lids and irises are found, whichever way the face looks."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.editing.eye_network import EyeNetwork
from swaptalk.faces.geometry.topology import EYE_RINGS, MIRROR


@pytest.fixture(scope="module")
def network() -> EyeNetwork:
    return EyeNetwork()


@pytest.fixture(params=["astronaut_face", "hopper_face"])
def face(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    crop, mesh, *_ = request.getfixturevalue(request.param)
    return crop, mesh


def test_lids_are_near_the_mesh_and_irises_between_them(
    network: EyeNetwork, face: tuple[np.ndarray, np.ndarray]
) -> None:
    crop, mesh = face
    eyes = network(crop, mesh)
    for eye, ring in enumerate(EYE_RINGS):
        assert np.linalg.norm(eyes[eye, :16] - mesh[ring, :2], axis=1).mean() < 6
        low, high = eyes[eye, :16].min(axis=0), eyes[eye, :16].max(axis=0)
        assert (low < eyes[eye, 16]).all() and (eyes[eye, 16] < high).all()
        grey = crop.mean(axis=-1)
        x, y = np.round(eyes[eye, 16]).astype(int)
        box = np.round([low, high]).astype(int)
        opening = grey[box[0, 1] : box[1, 1] + 1, box[0, 0] : box[1, 0] + 1]
        assert grey[y - 1 : y + 2, x - 1 : x + 2].mean() < np.median(opening), "irises are dark"


def test_a_mirrored_face_has_mirrored_eyes(
    network: EyeNetwork, face: tuple[np.ndarray, np.ndarray]
) -> None:
    crop, mesh = face
    eyes = network(crop, mesh)
    turned = mesh[MIRROR] * np.array([-1, 1, 1], np.float32) + np.array([255, 0, 0], np.float32)
    mirrored = network(np.ascontiguousarray(crop[:, ::-1]), turned)[::-1]
    mirrored[..., 0] = 255 - mirrored[..., 0]
    assert np.linalg.norm(mirrored - eyes, axis=-1).mean() < 0.5
