import numpy as np
import pytest

from swaptalk.faces.geometry.topology import CANONICAL_MESH, LIP_BOTTOM, LIP_TOP
from swaptalk.metrics.lip_leak import (
    frame_levels,
    lip_leak,
    mouth_opening,
    silent_frames,
)

RATE, FPS = 16_000, 25.0


def half_speech() -> np.ndarray:
    """Two seconds of a tone, two seconds of noise far below it."""
    rng = np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE
    return np.concatenate([0.3 * np.sin(2 * np.pi * 200 * time), 1e-4 * rng.normal(size=2 * RATE)])


def test_levels_of_a_known_sine() -> None:
    levels = frame_levels(half_speech(), RATE, FPS, 100)
    # A sine of amplitude a has the power a^2 / 2.
    assert levels[10] == pytest.approx(10 * np.log10(0.3**2 / 2), abs=0.05)
    assert levels[80] == pytest.approx(-80, abs=1)
    # Frames after the end of the sound are digital silence.
    assert frame_levels(half_speech()[:RATE], RATE, FPS, 100)[60] == -120


def test_silence_is_found_without_its_edges() -> None:
    silent = silent_frames(frame_levels(half_speech(), RATE, FPS, 100), FPS)
    assert not silent[:52].any()
    assert silent[52:98].all()


def test_short_gaps_are_speech() -> None:
    levels = np.full(100, -20.0)
    levels[40:44] = -90.0
    assert not silent_frames(levels, FPS).any()


def test_copying_the_target_leaks_fully_and_a_still_mouth_not_at_all() -> None:
    silent = np.zeros(100, bool)
    silent[52:98] = True
    moving = 0.1 + 0.05 * np.sin(np.arange(100) * 1.3)
    assert lip_leak(moving, silent).ratio == pytest.approx(1.0, abs=0.1)
    assert lip_leak(moving, silent).moving > 0.8
    quiet = np.where(np.arange(100) < 50, moving, 0.02)
    assert lip_leak(quiet, silent).ratio == 0.0
    assert lip_leak(quiet, silent).moving == 0.0


def test_half_the_motion_is_one_half() -> None:
    silent = np.zeros(90, bool)
    silent[50:] = True
    steps = np.where(np.arange(90) % 2 == 0, 0.0, 0.04)
    steps[50:] *= 0.5
    result = lip_leak(steps, silent)
    assert result.ratio == pytest.approx(0.5)
    assert result.silent_frames == 39


def test_no_silence_is_undefined() -> None:
    result = lip_leak(np.linspace(0, 1, 50), np.zeros(50, bool))
    assert np.isnan(result.ratio) and result.silent_frames == 0


def test_opening_is_the_gap_of_the_inner_lips() -> None:
    mesh = np.repeat(CANONICAL_MESH[None] * 50, 2, axis=0)
    mesh[:, LIP_BOTTOM] = mesh[:, LIP_TOP] + np.array([[0, 0, 0], [3, 4, 0]])
    assert mouth_opening(mesh, 50.0) == pytest.approx([0.0, 0.1])
