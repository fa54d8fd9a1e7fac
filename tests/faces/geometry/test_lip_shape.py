"""From motion tokens to the lower face: lips are where the token says, and touch where it says
so."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.geometry.lip_shape import (
    CLOSED,
    MOVED,
    even_lips,
    face_shape,
    fit_lip_shape,
    lip_shape_model,
    openings,
)
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS, measure_motion
from swaptalk.faces.geometry.pose import Pose, rotate_mesh
from swaptalk.faces.geometry.topology import CANONICAL_MESH, CHIN, LIPS, NOSE

MESH = (CANONICAL_MESH * 62 + [128, 100, 0]).astype(np.float32)
TURNED = (rotate_mesh(CANONICAL_MESH, Pose(25, -8, 4)) * 55 + [120, 110, 0]).astype(np.float32)


def neutral() -> np.ndarray:
    return lip_shape_model().neutral(face_shape(MESH))


@pytest.mark.parametrize("mesh", [MESH, TURNED])
def test_the_inner_lips_open_as_the_token_says(mesh: np.ndarray) -> None:
    model = lip_shape_model()
    for opening in (0.02, 0.08, 0.2):
        motion = model.opened(opening)
        moved = model.move(mesh, neutral(), motion)
        wanted = motion[:ABSOLUTE_CHANNELS] - CLOSED
        np.testing.assert_allclose(measure_motion(moved)[:ABSOLUTE_CHANNELS], wanted, atol=2e-3)


def test_closed_lips_touch_whatever_the_frame_shows() -> None:
    model = lip_shape_model()
    motion = model.opened(0.0)
    motion[:ABSOLUTE_CHANNELS] = CLOSED / 2
    assert openings(face_shape(MESH)).mean() > 0.1
    np.testing.assert_allclose(
        openings(face_shape(model.move(MESH, neutral(), motion))), 0, atol=1e-5
    )


def test_a_wider_mouth_lowers_the_chin_and_leaves_nose_and_eyes() -> None:
    model = lip_shape_model()
    narrow, wide = (model.move(MESH, neutral(), model.opened(o)) for o in (0.02, 0.2))
    assert wide[CHIN, 1] - narrow[CHIN, 1] > 3
    still = np.setdiff1d(np.arange(468), MOVED)
    np.testing.assert_allclose(wide[still], MESH[still], atol=1e-3)
    assert not np.isin(NOSE, MOVED).any()


def test_a_silent_person_and_a_speaking_one_have_one_neutral_shape() -> None:
    model, rest = lip_shape_model(), face_shape(MESH)
    spoken = rest.copy()
    spoken[MOVED] += 0.05 * model.opening.reshape(-1, 3)
    apart = np.abs(model.neutral(spoken) - model.neutral(rest)).max()
    assert apart < 0.3 * np.abs(spoken - rest).max()


def test_points_within_the_lips_follow_the_contours() -> None:
    np.testing.assert_allclose(even_lips(MESH)[:, :2], MESH[:, :2], atol=1.5)
    moved = MESH.copy()
    moved[LIPS] += [0, 30, 0]
    evened = even_lips(moved)
    np.testing.assert_allclose(
        evened[[12, 15, 11, 16], 1], MESH[[12, 15, 11, 16], 1] + 30, atol=1.5
    )


def test_the_fit_finds_what_made_the_shapes() -> None:
    """Clips are drawn from the model itself; the person's mean differs from clip to clip."""
    rng, model, clips = np.random.default_rng(0), lip_shape_model(), []
    for person in range(8):
        amount = rng.uniform(0, 0.2, 60)
        raw = np.stack([model.opened(float(o)) for o in amount])
        raw += rng.normal(0, 0.01, raw.shape).astype(np.float32)
        raw[:, :ABSOLUTE_CHANNELS] = np.maximum(raw[:, :ABSOLUTE_CHANNELS], CLOSED)
        base = face_shape(MESH) * (1 + 0.02 * person)
        clips.append((np.stack([model.shape(base, one) for one in raw]), raw))
    fitted = fit_lip_shape(clips)
    shape, raw = clips[0]
    start = fitted.neutral(shape.mean(axis=0))
    relative = raw - raw.mean(axis=0)
    relative[:, :ABSOLUTE_CHANNELS] = raw[:, :ABSOLUTE_CHANNELS]
    made = np.stack([fitted.shape(start, one) for one in relative])
    still = np.abs(shape - shape.mean(axis=0)).mean()
    assert np.abs(made - shape).mean() < 0.35 * still
