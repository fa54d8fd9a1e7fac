"""Augment log-mel spectrograms: other microphones, rooms and voices.

Works on spectrograms and not on samples, because those are cached and a batch must not cost a
Fourier transform.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.mel import LOG_HIGH, LOG_LOW, SILENCE

#: Units of the scaled log-mel for one decibel.
UNITS_PER_DB = float(np.log(10) / 20 * 2 / (LOG_HIGH - LOG_LOW))
#: Largest change of level, and of the spectrum's tilt from the lowest to the highest band, in dB.
GAIN_DB, TILT_DB = 10.0, 8.0
#: Level of added stationary noise below the loudest frame, dB.
NOISE_DB = (15.0, 50.0)
#: The same of what is heard in pauses, and how fast it swells, dB a frame.
ROOM_DB, SWELL_DB = (18.0, 50.0), 0.7
#: Bands by which voices are moved: pitch and formants together, as a longer or shorter vocal tract
#: does.
SHIFT_BANDS = 3
#: Widest masked run of bands (SpecAugment, Park et al. 2019, arXiv 1904.08779).
MASK_BANDS = 10


def augment_mel(mel: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Vary a log-mel (T, 80) of `swaptalk.media.mel.log_mel`; the timing stays."""
    bands = mel.shape[1]
    if rng.random() < 0.5:
        mel = shift_bands(mel, int(rng.integers(-SHIFT_BANDS, SHIFT_BANDS + 1)))
    tilt = np.linspace(-0.5, 0.5, bands, dtype=np.float32) * rng.uniform(-TILT_DB, TILT_DB)
    changed = mel + UNITS_PER_DB * (rng.uniform(-GAIN_DB, GAIN_DB) + tilt)
    if rng.random() < 0.5:
        changed = add_noise(changed, _noise_floor(changed, rng.uniform(*NOISE_DB), rng), rng)
    if rng.random() < 0.3:
        width = int(rng.integers(1, MASK_BANDS + 1))
        first = int(rng.integers(0, bands - width + 1))
        changed[:, first : first + width] = changed.mean()
    return np.maximum(changed, SILENCE).astype(np.float32)


def drown(mel: NDArray[np.float32], where: slice, rng: np.random.Generator) -> NDArray[np.float32]:
    """Replace some frames of a log-mel (T, 80) by the noise of a room, which swells and fades."""
    changed = mel.copy()
    floor = _noise_floor(mel, rng.uniform(*ROOM_DB), rng)
    count = len(changed[where])
    swell = np.cumsum(rng.standard_normal(count)) * SWELL_DB * UNITS_PER_DB
    changed[where] = SILENCE
    changed[where] = add_noise(changed[where], floor + (swell - swell.mean())[:, None], rng)
    return np.asarray(np.maximum(changed, SILENCE), np.float32)


def _noise_floor(
    mel: NDArray[np.float32], below: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Noise of a smooth spectrum (80,) whose loudest band lies ``below`` dB below the loudest of a
    log-mel (T, 80).
    """
    colour = np.cumsum(rng.standard_normal(mel.shape[1])) * 0.5
    return np.asarray(mel.max() + UNITS_PER_DB * (colour - colour.max() - below), np.float32)


def shift_bands(mel: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Move a log-mel (T, 80) up by so many bands; the outermost band is repeated."""
    index = np.clip(np.arange(mel.shape[1]) - by, 0, mel.shape[1] - 1)
    return np.asarray(mel[:, index], np.float32)


def add_noise(
    mel: NDArray[np.float32], floor: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add noise of the level ``floor`` (80,) or (T, 80) to a log-mel; powers add, and noise
    fluctuates.
    """
    scale = 2 / (LOG_HIGH - LOG_LOW)
    noise = floor + scale * 0.3 * rng.standard_normal(mel.shape)
    return np.asarray(np.logaddexp(2 * mel / scale, 2 * noise / scale) * (scale / 2), np.float32)


def resample_time(values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Stretch or squeeze a series (T, D) to ``length`` steps, linearly: a slower or faster
    speaker.
    """
    position = np.linspace(0, len(values) - 1, length)
    low = np.minimum(position.astype(int), max(0, len(values) - 2))
    share = (position - low)[:, None].astype(np.float32)
    high = np.minimum(low + 1, len(values) - 1)
    return np.asarray(values[low] * (1 - share) + values[high] * share, np.float32)
