import numpy as np
import pytest

from swaptalk.faces.geometry.pose import Pose, estimate_pose, rotate_mesh
from swaptalk.faces.geometry.topology import CANONICAL_MESH, LIPS
from swaptalk.metrics.pose_expression import (
    EXPRESSIVE,
    UPPER_FACE,
    expression_error,
    pose_error,
)


def face(scale: float = 60.0) -> np.ndarray:
    return CANONICAL_MESH * scale + np.array([120.0, 110.0, 0.0])


def speaking(mesh: np.ndarray, frames: int = 20) -> np.ndarray:
    """The mesh with lips that go up and down by 6 px."""
    clip = np.repeat(mesh[None], frames, axis=0)
    clip[:, LIPS, 1] += 6.0 * np.sin(np.arange(frames))[:, None]
    return clip


def test_pose_error_of_a_known_turn() -> None:
    target = np.zeros((3, 3))
    generated = target + np.array([3.0, 4.0, 0.0])
    assert pose_error(generated, target) == pytest.approx(5.0)
    assert pose_error(
        np.array([[0.0, 0.0, 179.0]]), np.array([[0.0, 0.0, -179.0]])
    ) == pytest.approx(2.0)


def test_pose_error_through_the_mesh() -> None:
    still = np.stack([estimate_pose(face()).vector])
    turned = np.stack([estimate_pose(rotate_mesh(face(), Pose(10.0, 0.0, 0.0))).vector])
    assert pose_error(turned, still) == pytest.approx(10.0, abs=0.5)


def test_equal_movement_of_another_face_is_no_error() -> None:
    wider = face() * np.array([1.0, 1.0, 1.0])
    wider[LIPS, 0] = 120.0 + (wider[LIPS, 0] - 120.0) * 1.3
    assert expression_error(speaking(wider), speaking(face())) == pytest.approx(0.0, abs=1e-3)


def test_a_still_face_against_a_speaking_one() -> None:
    still = np.repeat(face()[None], 20, axis=0)
    moved = speaking(face())
    wave = 6.0 * np.sin(np.arange(20))
    # Only the mouth's 40 of 92 points move; eye distance of this face in pixels scales to 90 px in
    # the crop.
    eye = np.linalg.norm(face()[[33, 133], :2].mean(axis=0) - face()[[263, 362], :2].mean(axis=0))
    expected = np.abs(wave - wave.mean()).mean() * len(LIPS) / len(EXPRESSIVE) / eye * 100
    assert expression_error(still, moved) == pytest.approx(expected, rel=0.02)
    assert expression_error(still, moved, UPPER_FACE) == pytest.approx(0.0, abs=1e-6)


def test_points_are_distinct() -> None:
    assert len(set(EXPRESSIVE.tolist())) == len(EXPRESSIVE) == 92
