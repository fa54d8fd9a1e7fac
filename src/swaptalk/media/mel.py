"""Log-mel spectrogram of training and run time: Slaney mel bands of an STFT.

Bands, window and floor follow the speech synthesisers' usual front end (Wav2Lip: 80 bands, 55..7600
Hz, 800-sample window; HiFi-GAN: natural logarithm of the magnitude, floored at 1e-5), at 100 frames
a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

#: Samples a second that the spectrogram expects.
SAMPLE_RATE = 16000
#: Mel bands, and the frequencies in Hz that the first one starts and the last one ends at.
N_MELS = 80
F_MIN = 55.0
F_MAX = 7600.0
#: Window in samples: 50 ms.
N_FFT = 800
#: Step in samples: 10 ms, so four frames belong to each 40 ms picture of 25 fps video.
HOP_LENGTH = 160
#: Mel frames a second.
FRAME_RATE = SAMPLE_RATE // HOP_LENGTH
#: Motion tokens a second: one for each picture of 25 fps video, as the models were trained.
MOTION_RATE = 25
#: Mel frames of one motion token, that is of one such picture.
MELS_PER_PICTURE = FRAME_RATE // MOTION_RATE
#: Band magnitudes below this (about -100 dB) count as silence.
MAGNITUDE_FLOOR = 1e-5
#: Natural logarithms that become -1 and +1: the floor, and just above a full-scale tone in the
#: narrowest band.
LOG_LOW = float(np.log(MAGNITUDE_FLOOR))
LOG_HIGH = 2.1
#: Value of every band in digital silence.
SILENCE = -1.0

#: Frames computed at once. Fixed, and counted from the first frame, so that whole and streamed
#: sound go through the same operations on the same blocks and give the same bits.
_BLOCK = 64
#: Frames multiplied by the filters at once: products of 8 x 401 x 80 stay on the calling thread
#: (OpenBLAS shares out those above 2^18 multiplications, which costs more than it gains and fights
#: with the models for the cores).
_ROWS = 8


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above."""
    linear = hz * 3 / 200
    return np.where(hz < 1000, linear, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(
        mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27)
    )


def triangular_filters(
    bands: int, low_hz: float, high_hz: float, window: int
) -> NDArray[np.float64]:
    """Slaney's triangular filters of equal area.

    Args:
        bands: number of filters.
        low_hz: where the first one starts.
        high_hz: where the last one ends.
        window: samples of the Fourier transform, at 16 kHz.

    Returns:
        (window // 2 + 1, bands) float64; multiply spectra by it from the right.
    """
    low, high = _hz_to_mel(np.array([low_hz, high_hz]))
    edges = _mel_to_hz(np.linspace(low, high, bands + 2))
    bins = np.arange(window // 2 + 1)[:, None] * (SAMPLE_RATE / window)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2])))


@cache
def mel_filters() -> NDArray[np.float64]:
    """The filters of the project's spectrogram, (N_FFT // 2 + 1, N_MELS) float64; multiply
    magnitudes by it from the right.
    """
    filters = triangular_filters(N_MELS, F_MIN, F_MAX, N_FFT)
    filters.flags.writeable = False
    return filters


@cache
def _window() -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def frame_count(samples: int) -> int:
    """Mel frames of so many samples: those centred inside the sound, so N pictures at 25 fps give 4
    N frames.
    """
    return -(-samples // HOP_LENGTH)


def _block_log_mel(padded: NDArray[np.float64]) -> NDArray[np.float32]:
    """Log-mel of one block: (_BLOCK - 1) * HOP_LENGTH + N_FFT samples -> (_BLOCK, N_MELS)."""
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    magnitude = np.abs(np.fft.rfft(frames * _window(), axis=1))
    bands = np.concatenate(
        [magnitude[i : i + _ROWS] @ mel_filters() for i in range(0, _BLOCK, _ROWS)]
    )
    log = np.log(np.maximum(bands, MAGNITUDE_FLOOR))
    scaled: NDArray[np.float64] = (log - LOG_LOW) * (2 / (LOG_HIGH - LOG_LOW)) - 1
    return scaled.astype(np.float32)


class MelStream:
    """Log-mel of sound that comes in pieces of any size, bit for bit what :func:`log_mel` gives for
    the whole.

    ``push`` returns the frames that are certain by now, in blocks of 64; ``finish`` returns the
    rest. Memory: one block (0.7 s) and the piece at hand.
    """

    _SPAN = (_BLOCK - 1) * HOP_LENGTH + N_FFT

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        # Half a window of silence in front centres frame 0 on sample 0.
        self._pending = np.zeros(N_FFT // 2, np.float64)
        self._samples = 0
        self._frames = 0

    def push(self, wave: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take (n,) samples at 16 kHz in [-1, 1]; return (k, N_MELS) float32 frames, k a multiple
        of 64 (0 too).

        Raises:
            ValueError: not one-dimensional, or NaN or infinity in it.
        """
        wave = np.asarray(wave)
        if wave.ndim != 1:
            raise ValueError(f"expected mono samples of shape (n,), got {wave.shape}")
        if not np.isfinite(wave).all():
            raise ValueError("samples must be finite")
        self._samples += len(wave)
        return self._take(np.concatenate([self._pending, wave.astype(np.float64)]))

    def finish(self) -> NDArray[np.float32]:
        """Return the last (k, N_MELS) frames; the stream then starts anew."""
        missing = frame_count(self._samples) - self._frames
        blocks = -(-missing // _BLOCK)
        needed = max(0, (blocks * _BLOCK - 1) * HOP_LENGTH + N_FFT)
        tail = np.zeros(max(needed, len(self._pending)), np.float64)
        tail[: len(self._pending)] = self._pending
        rest = self._take(tail)[:missing] if blocks else np.empty((0, N_MELS), np.float32)
        self._reset()
        return rest

    def _take(self, samples: NDArray[np.float64]) -> NDArray[np.float32]:
        """Turn all whole blocks at the front of ``samples`` into frames and keep what later frames
        still need.
        """
        step = _BLOCK * HOP_LENGTH
        blocks = max(0, (len(samples) - self._SPAN) // step + 1)
        out = np.empty((blocks * _BLOCK, N_MELS), np.float32)
        for i in range(blocks):
            out[i * _BLOCK : (i + 1) * _BLOCK] = _block_log_mel(
                samples[i * step : i * step + self._SPAN]
            )
        self._pending = samples[blocks * step :].copy()
        self._frames += len(out)
        return out


def log_mel(wave: NDArray[np.floating]) -> NDArray[np.float32]:
    """Log-mel spectrogram of a whole recording.

    Args:
        wave: (n,) mono samples at 16 kHz, in [-1, 1].

    Returns:
        (ceil(n / 160), 80) float32 in about [-1, 1]; -1 is silence. Frame k is centred at k * 10
        ms; outside the recording there is silence.

    Raises:
        ValueError: not one-dimensional, or NaN or infinity in it.
    """
    stream = MelStream()
    return np.concatenate([stream.push(wave), stream.finish()])


def stream_log_mel(blocks: Iterable[NDArray[np.floating]]) -> Iterator[NDArray[np.float32]]:
    """Yield the frames of :func:`log_mel` for sound that comes in blocks, a few at a time, with
    bounded memory.
    """
    stream = MelStream()
    for block in blocks:
        frames = stream.push(block)
        if len(frames):
            yield frames
    rest = stream.finish()
    if len(rest):
        yield rest
