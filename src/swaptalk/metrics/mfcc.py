"""Mel-frequency cepstra as ``python_speech_features.mfcc`` computes them by default, which SyncNet
was trained on.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
#: Window and hop in samples (25 and 10 ms), without window function.
_WINDOW, _HOP = 400, 160
_FFT_SIZE = 512
_FILTERS, _COEFFICIENTS = 26, 13
_PRE_EMPHASIS = 0.97
_LIFTER = 22
#: Replaces zero energies before the logarithm.
_EPSILON = float(np.finfo(np.float64).eps)


@lru_cache(maxsize=1)
def _filter_bank() -> NDArray[np.float64]:
    """Triangular mel filters (26, 257) between 0 and 8 kHz, corners rounded down to FFT bins."""
    highest = 2595.0 * np.log10(1.0 + SAMPLE_RATE / 2 / 700.0)
    hertz = 700.0 * (10.0 ** (np.linspace(0.0, highest, _FILTERS + 2) / 2595.0) - 1.0)
    corner = np.floor((_FFT_SIZE + 1) * hertz / SAMPLE_RATE)
    bins = np.arange(_FFT_SIZE // 2 + 1)
    low, centre, high = corner[:-2, None], corner[1:-1, None], corner[2:, None]
    rising = np.where(
        (bins >= low) & (bins < centre), (bins - low) / np.maximum(centre - low, 1), 0.0
    )
    falling = np.where(
        (bins >= centre) & (bins < high), (high - bins) / np.maximum(high - centre, 1), 0.0
    )
    return np.asarray(rising + falling, np.float64)


@lru_cache(maxsize=1)
def _cosine_transform() -> NDArray[np.float64]:
    """Orthonormal DCT-II with the sinusoidal lifter (26, 13)."""
    order, position = np.arange(_COEFFICIENTS), np.arange(_FILTERS)[:, None]
    basis = np.cos(np.pi * order * (2 * position + 1) / (2 * _FILTERS)) * np.sqrt(2.0 / _FILTERS)
    basis[:, 0] /= np.sqrt(2.0)
    return np.asarray(basis * (1.0 + _LIFTER / 2 * np.sin(np.pi * order / _LIFTER)), np.float64)


def mfcc(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """13 cepstra per 10 ms of 16 kHz mono: (n,) int16 -> (frames, 13); coefficient 0 is the log of
    the frame's energy.

    The scale matters: the protocol reads 16-bit integers, not floats in -1..1.

    Raises:
        ValueError: there are no samples.
    """
    if samples.size == 0:
        raise ValueError("no samples")
    signal = samples.astype(np.float64)
    signal = np.append(signal[0], signal[1:] - _PRE_EMPHASIS * signal[:-1])
    count = 1 if len(signal) <= _WINDOW else 1 + -(-(len(signal) - _WINDOW) // _HOP)
    padded = np.pad(signal, (0, max(0, (count - 1) * _HOP + _WINDOW - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    power = np.abs(np.fft.rfft(frames, _FFT_SIZE)) ** 2 / _FFT_SIZE
    energy = power.sum(axis=1)
    energy = np.where(energy == 0, _EPSILON, energy)
    filtered = power @ _filter_bank().T
    cepstra = np.log(np.where(filtered == 0, _EPSILON, filtered)) @ _cosine_transform()
    cepstra[:, 0] = np.log(energy)
    return np.asarray(cepstra, np.float64)
