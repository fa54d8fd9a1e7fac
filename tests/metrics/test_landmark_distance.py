import numpy as np
import pytest

from swaptalk.faces.geometry.topology import CANONICAL_MESH, LIPS, MIRROR, canonical_crop_mesh
from swaptalk.metrics.landmark_distance import (
    ALIGNED_EYE_DISTANCE,
    align_meshes,
    eye_distance,
    landmark_distance,
)


def clip(frames: int = 6) -> np.ndarray:
    """Canonical faces of different sizes and places, in pixels."""
    scale = np.linspace(40, 80, frames)[:, None, None]
    return CANONICAL_MESH[None] * scale + np.array([150.0, 140.0, 0.0])


def test_a_clip_against_itself_is_zero() -> None:
    result = landmark_distance(clip(), clip())
    assert (result.pixels, result.percent) == (0.0, 0.0)
    assert result.aligned_percent == pytest.approx(0.0, abs=1e-4)


def test_a_known_shift_of_the_mouth_is_that_shift() -> None:
    real = clip()
    moved = real.copy()
    moved[:, LIPS] += np.array([3.0, 4.0, 0.0])
    result = landmark_distance(moved, real)
    assert result.pixels == pytest.approx(5.0)
    assert result.percent == pytest.approx(np.mean(5.0 / eye_distance(real)) * 100)


def test_alignment_takes_motion_of_the_whole_head_out() -> None:
    real = clip()
    angle = np.radians(8)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = real.copy()
    moved[..., :2] = 1.1 * real[..., :2] @ turn.T + np.array([9.0, -4.0])
    result = landmark_distance(moved, real)
    assert result.pixels > 5
    assert result.aligned_percent == pytest.approx(0.0, abs=1e-3)


def test_aligned_percent_measures_in_eye_distances() -> None:
    real = clip()
    opened = real.copy()
    # A tenth of each face's eye distance downwards.
    opened[:, LIPS, 1] += 0.1 * eye_distance(real)[:, None]
    assert landmark_distance(opened, real).aligned_percent == pytest.approx(10.0, rel=0.03)


def test_the_mouth_is_both_lips_and_symmetric() -> None:
    assert len(LIPS) == len(set(LIPS.tolist())) == 40
    assert set(MIRROR[LIPS].tolist()) == set(LIPS.tolist())


def test_eye_distance_of_the_crop() -> None:
    assert ALIGNED_EYE_DISTANCE == pytest.approx(90, abs=0.5)
    assert eye_distance(align_meshes(clip())) == pytest.approx(
        eye_distance(canonical_crop_mesh()[None])[0], abs=0.1
    )


def test_mismatched_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        landmark_distance(clip(5), clip(6))
