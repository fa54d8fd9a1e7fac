"""Shape of the face: what belongs to the person is told from pose, size and expression."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.geometry.identity_shape import (
    fit_identity_shape,
    identity_shape_model,
    normalised_shape,
    with_shape,
)
from swaptalk.faces.geometry.pose import Pose, estimate_pose, rotate_mesh
from swaptalk.faces.geometry.topology import CANONICAL_MESH, FACE_OVAL, INNER_LIPS


def test_pose_place_and_size_do_not_matter() -> None:
    mesh = CANONICAL_MESH * 60 + [120, 100, 0]
    turned = rotate_mesh(CANONICAL_MESH, Pose(25, -10, 8)) * 33 + [400, 50, 7]
    np.testing.assert_allclose(normalised_shape(mesh), normalised_shape(turned), atol=1e-4)


def test_a_difference_is_added_in_the_pose_of_the_mesh() -> None:
    wide = CANONICAL_MESH * [1.08, 1, 1]
    difference = normalised_shape(wide) - normalised_shape(CANONICAL_MESH)
    mesh = rotate_mesh(CANONICAL_MESH, Pose(20, 5, 0)) * 65
    changed = with_shape(mesh, difference)
    np.testing.assert_allclose(normalised_shape(changed), normalised_shape(wide), atol=0.01)
    assert estimate_pose(changed).yaw == pytest.approx(estimate_pose(mesh).yaw, abs=0.5)


def test_an_open_mouth_is_no_identity_but_a_long_lower_face_is() -> None:
    model, rest = identity_shape_model(), normalised_shape(CANONICAL_MESH)
    opened, long = rest.copy(), rest.copy()
    opened[INNER_LIPS[11:], 1] += 0.12
    long[:, 1] = np.where(long[:, 1] > 0.5, 1.06 * long[:, 1], long[:, 1])
    shares = []
    for shape in (opened, long):
        seen = normalised_shape(shape) - rest
        shares.append(float((model.difference(rest + seen, rest) * seen).sum() / (seen**2).sum()))
    assert shares[0] < 0.1 and shares[1] > 0.4


def test_the_outline_follows_less() -> None:
    model, rest = identity_shape_model(), normalised_shape(CANONICAL_MESH)
    wide = rest * [1.1, 1, 1]
    whole, less = (model.difference(wide, rest, outline) for outline in (1.0, 0.25))
    np.testing.assert_allclose(less[FACE_OVAL], 0.25 * whole[FACE_OVAL], atol=1e-6)
    np.testing.assert_allclose(less[4], whole[4], atol=1e-6)


def test_the_fit_separates_people_from_what_changes_within_them() -> None:
    rng = np.random.default_rng(0)
    person, mood = rng.normal(size=(2, 468, 3)) * 0.02
    people = np.repeat(np.arange(60), 4)
    shapes = (
        CANONICAL_MESH
        + rng.normal(size=(60, 1, 1))[people] * person
        + rng.normal(size=(240, 1, 1)) * mood
    )
    model = fit_identity_shape(shapes, people, components=4)
    kept = [
        np.linalg.norm(model.difference(CANONICAL_MESH + part, CANONICAL_MESH))
        for part in (person, mood)
    ]
    assert kept[0] > 0.7 * np.linalg.norm(person)
    assert kept[1] < 0.3 * np.linalg.norm(mood)


def test_too_little_to_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_identity_shape(np.zeros((4, 468, 3)), np.arange(4), components=4)
    with pytest.raises(ValueError, match="two photographs"):
        fit_identity_shape(
            np.random.default_rng(0).normal(size=(9, 468, 3)), np.arange(9), components=4
        )
