import numpy as np
import pytest

from swaptalk.faces.geometry.pose import (
    MAXIMUM_PITCH,
    MAXIMUM_YAW,
    MINIMUM_EYE_DISTANCE,
    Pose,
    estimate_pose,
    eye_distance,
    rotate_mesh,
    unusable_reason,
)
from swaptalk.faces.geometry.topology import CANONICAL_MESH


@pytest.mark.parametrize(
    "pose", [(0, 0, 0), (30, 0, 0), (-45, 0, 0), (0, 25, 0), (0, -30, 0), (0, 0, 20), (35, -15, 12)]
)
def test_recovers_a_synthetic_rotation(pose):
    shape = rotate_mesh(CANONICAL_MESH * 80, Pose(*pose)) + [400, 300, 5]
    np.testing.assert_allclose(estimate_pose(shape).vector, pose, atol=1e-3)


def test_noise_and_speech_move_it_little():
    rng = np.random.default_rng(0)
    talking = CANONICAL_MESH.copy()
    talking[CANONICAL_MESH[:, 1] > 1.45, 1] += 0.25  # the jaw opens
    shape = rotate_mesh(talking * 80, Pose(20, -10, 5)) + rng.normal(0, 1.0, (468, 3))
    np.testing.assert_allclose(estimate_pose(shape).vector, (20, -10, 5), atol=1.5)


def test_signs_follow_the_picture():
    nose, forehead = 4, 10
    turned = rotate_mesh(CANONICAL_MESH, Pose(30, 0, 0))
    assert turned[nose, 0] > turned[[33, 263], 0].mean()  # towards the picture's right
    up = rotate_mesh(CANONICAL_MESH, Pose(0, 30, 0))
    assert up[nose, 1] < CANONICAL_MESH[nose, 1]
    rolled = rotate_mesh(CANONICAL_MESH, Pose(0, 0, 30))
    assert rolled[forehead, 0] > 0 and rolled[263, 1] > rolled[33, 1]  # clockwise


def test_photographs(astronaut_face, hopper_face):
    for _, points, _ in (astronaut_face, hopper_face):
        pose = estimate_pose(points)
        assert (
            abs(pose.yaw) < 25 and abs(pose.pitch) < 20 and abs(pose.roll) < 5 and pose.within_range
        )


def test_mirrored_photograph_mirrors_the_pose(hopper, detector, mesh):
    from ..conftest import find_mesh

    pose = estimate_pose(find_mesh(hopper, detector, mesh).points)
    mirrored = estimate_pose(
        find_mesh(np.ascontiguousarray(hopper[:, ::-1]), detector, mesh).points
    )
    assert abs(pose.yaw + mirrored.yaw) < 3 and abs(pose.roll + mirrored.roll) < 2
    assert abs(pose.pitch - mirrored.pitch) < 3


@pytest.mark.parametrize(
    ("scale", "pose", "place", "reason"),
    [
        (80, (0, 0, 0), (600, 300), ""),
        (MINIMUM_EYE_DISTANCE / 2 - 1, (0, 0, 0), (600, 300), "small"),
        (80, (MAXIMUM_YAW + 2, 0, 0), (600, 300), "sideways"),
        (80, (0, -MAXIMUM_PITCH - 2, 0), (600, 300), "tilted"),
        (80, (0, 0, 80), (600, 300), ""),
        (80, (0, 0, 0), (10, 300), "edge"),
    ],
)
def test_reason(scale, pose, place, reason):
    shape = rotate_mesh(CANONICAL_MESH * scale, Pose(*pose)) + [*place, 0]
    found = unusable_reason(shape, estimate_pose(shape), 1280, 720)
    assert reason in found and bool(reason) == bool(found)


def test_size_does_not_depend_on_yaw():
    assert eye_distance(rotate_mesh(CANONICAL_MESH, Pose(45, 0, 0))) == pytest.approx(
        eye_distance(CANONICAL_MESH)
    )
