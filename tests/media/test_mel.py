"""The log-mel spectrogram: timing, scale, and streamed = whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swaptalk.media import mel


def tone(frequency: float, samples: int, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(samples) / mel.SAMPLE_RATE)


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (1, 1), (160, 1), (161, 2), (640 * 25, 100), (799, 5)]
)
def test_frame_count(samples: int, frames: int) -> None:
    assert mel.frame_count(samples) == frames
    assert mel.log_mel(np.zeros(samples)).shape == (frames, mel.N_MELS)


def test_click_is_centred_on_its_frame() -> None:
    wave = np.zeros(16000)
    wave[50 * mel.HOP_LENGTH] = 1.0
    energy = mel.log_mel(wave).mean(axis=1)
    assert energy.argmax() == 50
    np.testing.assert_allclose(energy[49], energy[51], atol=1e-4)
    assert (energy[:47] == mel.SILENCE).all()


def test_tone_lands_in_its_band() -> None:
    centres = mel.mel_filters().argmax(axis=0) * mel.SAMPLE_RATE / mel.N_FFT
    for frequency in (200, 440, 1000, 3000, 6000):
        band = mel.log_mel(tone(frequency, 8000))[25].argmax()
        assert abs(centres[band] - frequency) <= max(25, 0.04 * frequency)


def test_scale_covers_silence_to_full_scale() -> None:
    assert (mel.log_mel(np.zeros(1600)) == mel.SILENCE).all()
    peaks = [mel.log_mel(tone(f, 1600))[5].max() for f in range(60, 7600, 293)]
    assert 0.4 < min(peaks) and max(peaks) <= 1.0


def test_doubling_the_amplitude_adds_a_constant() -> None:
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.05, 8000)
    step = mel.log_mel(2 * wave) - mel.log_mel(wave)
    np.testing.assert_allclose(step, np.log(2) * 2 / (mel.LOG_HIGH - mel.LOG_LOW), atol=1e-5)


def test_filters_match_slaney_reference_values() -> None:
    """Area-normalised triangles: every band wider than a few bins sums to about 1 / bin width."""
    filters = mel.mel_filters()
    assert filters.shape == (401, 80)
    np.testing.assert_allclose(
        filters[:, 30:].sum(axis=0) * mel.SAMPLE_RATE / mel.N_FFT, 1, atol=0.03
    )
    assert (filters.sum(axis=0) > 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 30000), st.lists(st.integers(0, 7000), max_size=8), st.integers(0, 2**32 - 1))
def test_streamed_equals_whole(samples: int, cuts: list[int], seed: int) -> None:
    wave = np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)
    pieces = np.split(wave, np.clip(np.cumsum(np.array(cuts, int)), 0, samples))
    streamed = list(mel.stream_log_mel(pieces))
    whole = mel.log_mel(wave)
    joined = np.concatenate([np.empty((0, mel.N_MELS), np.float32), *streamed])
    assert np.array_equal(joined, whole)


@pytest.mark.parametrize("bad", [np.array([0, np.nan]), np.array([np.inf]), np.zeros((2, 100))])
def test_bad_samples_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError):
        mel.log_mel(bad)
