"""Read the sound of any file as float samples, in blocks, decoded in a separate process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.sandbox.pool import decoder

#: Samples of each channel that the decoding process sends at once, at least.
_SAMPLES_AT_ONCE = 1 << 16


def stream_audio(
    path: str | Path,
    sample_rate: int = 16000,
    start: float = 0.0,
    end: float | None = None,
    *,
    block: int = 16000,
) -> Iterator[NDArray[np.float32]]:
    """Yield the sound of a file as mono blocks; memory does not depend on its length.

    Time 0 is the first picture if the file has pictures, else the first sound (see
    :class:`swaptalk.media.timeline.Timeline`); where sound begins later there is silence before
    it.

    Args:
        path: sound file, or video with sound.
        sample_rate: of the result, in Hz.
        start: first second wanted.
        end: last second wanted; None or beyond the end: as far as the sound goes.
        block: samples a block (the last may be shorter).

    Yields:
        (block,) float32; full scale is [-1, 1], though loud recordings may exceed it. Stereo is
        averaged.

    Raises:
        InputError: no such file, no sound in it or none in the range, NaN or infinity in it,
            nothing decodes, or decoding takes more memory or time than allowed.
    """
    for samples in stream_channels(path, sample_rate, 1, start, end, block=block):
        yield samples[:, 0]


def read_audio(
    path: str | Path, sample_rate: int = 16000, start: float = 0.0, end: float | None = None
) -> NDArray[np.float32]:
    """Read all sound of a file, as :func:`stream_audio` yields it: (n,) float32 mono."""
    return np.concatenate(list(stream_audio(path, sample_rate, start, end)))


def stream_channels(
    path: str | Path,
    sample_rate: int,
    channels: int,
    start: float = 0.0,
    end: float | None = None,
    *,
    block: int = 16000,
    track: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Like :func:`stream_audio` with one or two channels: yields (block, channels) float32.

    ``track`` is the number of a stream in the file; None takes the sound that players choose.

    Raises:
        InputError: as :func:`stream_audio`.
        ValueError: ``channels``, ``sample_rate`` or ``block`` is out of range.
    """
    path = Path(path)
    if channels not in (1, 2) or sample_rate <= 0 or block <= 0:
        raise ValueError(
            f"cannot give {channels} channels at {sample_rate} Hz in blocks of {block}"
        )
    if start < 0 or (end is not None and end <= start):
        raise InputError(
            f"no sound from {start} s to {end} s",
            path=path,
            remedy="let the end lie after the start",
        )
    together = block * max(1, _SAMPLES_AT_ONCE // block)
    request = {
        "do": "audio",
        "rate": sample_rate,
        "channels": channels,
        "start": start,
        "end": end,
        "block": together,
        "track": track,
    }
    with decoder(path) as process:
        process.share(together * channels * 4)
        for piece in process.stream(request):
            samples = (
                piece[: len(piece) // (4 * channels) * 4 * channels]
                .view(np.float32)
                .reshape(-1, channels)
            )
            for begin in range(0, len(samples), block):
                yield samples[begin : begin + block]
