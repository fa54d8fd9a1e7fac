"""Random other poses for sources."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.data.repose import mirrored, repose
from swaptalk.faces.editing.turn import turned_mesh
from swaptalk.faces.geometry.pose import Pose, estimate_pose

from ..faces.editing.test_turn import crop_mesh, dot, marked_picture


def test_a_mirror_undoes_a_mirror() -> None:
    mesh = turned_mesh(crop_mesh(), Pose(15.0, 5.0, 0.0))
    picture = marked_picture(mesh)
    once = mirrored(picture, mesh)
    assert estimate_pose(once[1]).yaw == pytest.approx(-estimate_pose(mesh).yaw, abs=0.5)
    twice = mirrored(*once)
    assert np.array_equal(twice[0], picture) and np.allclose(twice[1], mesh, atol=1e-3)


def test_the_picture_turns_in_all_directions() -> None:
    mesh = crop_mesh()
    picture = marked_picture(mesh)
    shifts = [
        dot(repose(picture, mesh, np.random.default_rng(k))[0]) - dot(picture) for k in range(12)
    ]
    x, y = np.array(shifts).T
    assert (x < -4).any() and (x > 4).any() and (y < -4).any() and (y > 4).any()
    again = [repose(picture, mesh, np.random.default_rng(3)) for _ in range(2)]
    assert all(np.array_equal(a, b) for a, b in zip(*again, strict=True))
