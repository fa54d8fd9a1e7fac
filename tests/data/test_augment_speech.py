import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.augment_speech import (
    UNITS_PER_DB,
    add_noise,
    augment_mel,
    resample_time,
    shift_bands,
)  # noqa: E402
from swaptalk.media.mel import N_MELS, log_mel  # noqa: E402


def voice(gain: float = 1.0) -> np.ndarray:
    t = np.arange(16000) / 16000
    return (gain * 0.2 * np.sin(2 * np.pi * 300 * t) * (1 + np.sin(2 * np.pi * 3 * t))).astype(
        np.float32
    )


def test_decibels_are_those_of_the_mel() -> None:
    quiet, loud = log_mel(voice(0.5)), log_mel(voice(1.0))
    assert (loud - quiet).max() == pytest.approx(6.02 * UNITS_PER_DB, rel=0.01)


def test_noise_fills_valleys_and_leaves_peaks() -> None:
    mel = log_mel(voice())
    floor = np.full(N_MELS, -0.5, np.float32)
    noisy = add_noise(mel, floor, np.random.default_rng(0))
    quiet = mel < -0.9
    assert abs(noisy[quiet].mean() + 0.5) < 0.05
    assert np.abs(noisy[mel > 0] - mel[mel > 0]).max() < 0.05


def test_shift_moves_bands() -> None:
    mel = log_mel(voice())
    assert np.array_equal(shift_bands(mel, 2)[:, 2:], mel[:, :-2])
    assert np.array_equal(shift_bands(mel, -2)[:, :-2], mel[:, 2:])


def test_resampling_keeps_ends_and_lines() -> None:
    line = np.linspace(0, 1, 11, dtype=np.float32)[:, None]
    assert np.allclose(resample_time(line, 31)[:, 0], np.linspace(0, 1, 31), atol=1e-6)
    assert resample_time(line[:1], 5).tolist() == [[0.0]] * 5


def test_augmentation_varies_and_keeps_range_timing_and_input() -> None:
    mel = log_mel(voice())
    before = mel.copy()
    made = [augment_mel(mel, np.random.default_rng(k)) for k in range(20)]
    assert np.array_equal(mel, before)
    assert all(m.shape == mel.shape and m.dtype == np.float32 and m.min() >= -1 for m in made)
    assert np.std([m.mean() for m in made]) > 0.02
    loudness = mel.max(axis=1)
    assert np.mean([np.corrcoef(loudness, m.max(axis=1))[0, 1] for m in made]) > 0.9
    assert np.array_equal(made[3], augment_mel(mel, np.random.default_rng(3)))
