"""A turned face: its mesh has the wanted pose, its picture moves with the mesh, and impossible
turns are shortened."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.turn import turn_face, turned_mesh
from swaptalk.faces.geometry.align import CROP_SIZE, estimate_alignment
from swaptalk.faces.geometry.pose import MAXIMUM_YAW, Pose, estimate_pose
from swaptalk.faces.geometry.topology import CANONICAL_MESH

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


@pytest.mark.parametrize("turn", [Pose(15.0, 0.0, 0.0), Pose(-10.0, 8.0, 0.0)])
def test_the_picture_moves_with_its_mesh(turn: Pose) -> None:
    mesh = crop_mesh()
    picture, turned = turn_face(marked_picture(mesh), mesh, turn)
    moved = dot(picture)
    assert np.allclose(turned, turned_mesh(mesh, turn))
    assert moved == pytest.approx(turned_mesh(mesh, turn)[NOSE_TIP, :2], abs=1.5)
    assert np.abs(moved - mesh[NOSE_TIP, :2]).max() > 4


def test_a_turn_that_cannot_be_shown_is_halved() -> None:
    mesh = turned_mesh(crop_mesh(), Pose(25.0, 0.0, 0.0))
    picture = marked_picture(mesh)
    too_far, _ = turn_face(picture, mesh, Pose(MAXIMUM_YAW, 0.0, 0.0))
    pose = next(
        estimate_pose(turned_mesh(mesh, Pose(yaw, 0.0, 0.0))).yaw
        for yaw in (MAXIMUM_YAW / 8, MAXIMUM_YAW / 4, MAXIMUM_YAW / 2)
        if np.array_equal(too_far, turn_face(picture, mesh, Pose(yaw, 0.0, 0.0))[0])
    )
    assert estimate_pose(mesh).yaw < pose <= MAXIMUM_YAW
    assert np.array_equal(turn_face(picture, mesh, Pose(400.0, 500.0, 0.0))[0], picture)
