"""Turned sources: their mesh has the wanted pose, and their picture moves with the mesh."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.data.repose import mirrored, repose, turned_mesh
from swaptalk.faces.align import CROP_SIZE, estimate_alignment
from swaptalk.faces.pose import Pose, estimate_pose
from swaptalk.faces.topology import CANONICAL_MESH

NOSE_TIP = 4


def crop_mesh() -> np.ndarray:
    return estimate_alignment(CANONICAL_MESH[:, :2]).to_crop(CANONICAL_MESH)


def marked_picture(mesh: np.ndarray) -> np.ndarray:
    """Grey, with a white dot on the tip of the nose."""
    picture = np.full((CROP_SIZE, CROP_SIZE, 3), 90, np.uint8)
    cv2.circle(picture, [round(float(x)) for x in mesh[NOSE_TIP, :2]], 3, (255, 255, 255), -1)
    return picture


def dot(picture: np.ndarray) -> np.ndarray:
    """Centre of the bright pixels, x and y."""
    y, x = np.nonzero(picture[..., 0] > 170)
    return np.array([x.mean(), y.mean()])


@pytest.mark.parametrize(("yaw", "pitch"), [(20.0, 0.0), (-12.0, 9.0), (0.0, -15.0)])
def test_the_mesh_turns_and_stays_aligned(yaw: float, pitch: float) -> None:
    turned = turned_mesh(crop_mesh(), Pose(yaw, pitch, 0.0))
    pose = estimate_pose(turned)
    assert pose.yaw == pytest.approx(yaw, abs=2) and pose.pitch == pytest.approx(pitch, abs=2)
    assert np.allclose(estimate_alignment(turned[:, :2]).matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-3)


def test_a_mirror_undoes_a_mirror() -> None:
    mesh = turned_mesh(crop_mesh(), Pose(15.0, 5.0, 0.0))
    picture = marked_picture(mesh)
    once = mirrored(picture, mesh)
    assert estimate_pose(once[1]).yaw == pytest.approx(-estimate_pose(mesh).yaw, abs=0.5)
    twice = mirrored(*once)
    assert np.array_equal(twice[0], picture) and np.allclose(twice[1], mesh, atol=1e-3)


def test_the_picture_moves_with_its_face() -> None:
    mesh = crop_mesh()
    picture = marked_picture(mesh)
    shifts = [dot(repose(picture, mesh, np.random.default_rng(k))) - dot(picture) for k in range(12)]
    x, y = np.array(shifts).T
    assert (x < -4).any() and (x > 4).any() and (y < -4).any() and (y > 4).any()
    again = repose(picture, mesh, np.random.default_rng(3))
    assert np.array_equal(again, repose(picture, mesh, np.random.default_rng(3)))
