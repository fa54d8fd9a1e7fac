"""Loudness against what BS.1770 says about sine tones, and limited peaks."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.media.loudness import PEAK_CEILING, amplitude, integrated_loudness, limited

RATE = 48000


def tone(decibels: float, seconds: float = 3.0, channels: int = 1) -> np.ndarray:
    wave = amplitude(decibels) * np.sin(2 * np.pi * 997 * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("level", "channels", "expected"),
    # A 997 Hz sine at 0 dBFS has -3.01 LUFS in one channel (BS.1770-4, annex 1).
    [(-20, 1, -23.01), (-20, 2, -20.0), (-33, 1, -36.01)],
)
def test_tones_have_the_loudness_of_the_standard(
    level: float, channels: int, expected: float
) -> None:
    measured = integrated_loudness(
        np.array_split(tone(level, channels=channels), 7), RATE, channels
    )
    assert measured == pytest.approx(expected, abs=0.1)


def test_pauses_are_gated_and_silence_has_no_loudness() -> None:
    spoken = np.concatenate([tone(-20), np.zeros((6 * RATE, 1), np.float32)])
    assert integrated_loudness([spoken], RATE, 1) == pytest.approx(-23.01, abs=0.3)
    assert integrated_loudness([np.zeros((2 * RATE, 1), np.float32)], RATE, 1) is None


def test_peaks_are_limited_in_place_and_the_rest_is_untouched() -> None:
    quiet = tone(-20, 1.0, 2)
    loud = quiet.copy()
    loud[20000] = 3.0
    made = np.concatenate(list(limited(np.array_split(loud, 13), RATE, 2)))
    assert made.shape == loud.shape
    assert np.abs(made).max() <= amplitude(PEAK_CEILING) + 1e-4
    assert int(np.abs(made).max(axis=1).argmax()) == 20000
    np.testing.assert_allclose(made[:15000], quiet[:15000], atol=1e-6)
    np.testing.assert_allclose(made[40000:], quiet[40000:], atol=1e-3)
