"""Mouth motion of a recording: tokens on a 25 Hz grid, closed where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.mel import (
    FRAME_RATE,
    MELS_PER_PICTURE,
    MOTION_RATE,
    N_MELS,
    frame_count,
    stream_log_mel,
)
from swaptalk.media.voice_activity import BLEND, level, speech_weight
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.timeline import interpolate, motion_positions
from swaptalk.storage.rows import Rows, RowWriter

#: The audio encoder gets this many seconds at a time, and this many more on both sides so that it
#: hears at the seams what it would hear in the whole recording.
BLOCK_SECONDS, CONTEXT_SECONDS = 30, 3


def _mel_blocks(audio: InputFile) -> Iterator[tuple[NDArray[np.float32], int, int]]:
    """Yield (mel with context, first frame that counts, number of frames that count), in order."""
    block, context = BLOCK_SECONDS * FRAME_RATE, CONTEXT_SECONDS * FRAME_RATE
    pending = np.empty((0, N_MELS), np.float32)
    before = 0  # frames at the front of `pending` that are context only
    for mel in stream_log_mel(audio.sound()):
        pending = np.concatenate([pending, mel])
        while len(pending) >= before + block + context:
            yield pending[: before + block + context], before, block
            kept = min(context, before + block)
            pending, before = pending[before + block - kept :], kept
    if len(pending) > before:
        yield pending, before, len(pending) - before


def write_motion(encoder: Networks, audio: InputFile, folder: Path) -> None:
    """Encode a recording into ``motion.npy`` (M, D) and ``speech.npy`` (M,), the weight of speech
    against silence.

    Memory does not depend on its length but for 100 loudness values a second.
    """
    total = -(-frame_count(audio.samples) // MELS_PER_PICTURE)
    loudness: list[NDArray[np.float32]] = []
    with RowWriter(folder / "motion.npy", total, encoder.silent_motion.shape, np.float16) as writer:
        for mel, first, count in _mel_blocks(audio):
            loudness.append(level(mel[first : first + count]))
            begin = first // MELS_PER_PICTURE
            writer.append(encoder.motion(mel)[begin : begin + -(-count // MELS_PER_PICTURE)])
    np.save(folder / "speech.npy", speech_weight(np.concatenate(loudness), total))


def turn_weight(turns: Sequence[tuple[float, float]], tokens: int) -> NDArray[np.float32]:
    """How far each of so many motion tokens (tokens,) lies in a turn: 1 inside, 0 outside, with
    slopes of `BLEND` seconds that reach half as far outside.
    """
    times = np.arange(tokens) / MOTION_RATE
    weight = np.zeros(tokens)
    for start, end in turns:
        inside = np.minimum(times - start, end - times) / BLEND + 0.5
        weight = np.maximum(weight, np.clip(inside, 0, 1))
    return weight.astype(np.float32)


class Motion(Protocol):
    """Mouth motion over time."""

    def at(self, time: float) -> NDArray[np.float32]:
        """Tokens around ``time`` seconds, (W, D), one every 40 ms, the middle one at ``time``."""
        ...

    def close(self) -> None:
        """Release the resources."""


class MotionTrack:
    """Reads the motion written by :func:`write_motion`, at any time.

    Args:
        folder: where it was written.
        encoder: gives the silent motion and the width of the window.
        turns: when this person speaks, (start, end) in seconds; None: whenever somebody does.
        rests: the mouth closes where the recording ends, instead of staying as it was then.
    """

    def __init__(
        self,
        folder: Path,
        encoder: Networks,
        turns: Sequence[tuple[float, float]] | None = None,
        rests: bool = False,
    ) -> None:
        self._tokens = Rows(folder / "motion.npy")
        self._speech: NDArray[np.float32] = np.load(folder / "speech.npy")
        self._silent = np.asarray(encoder.silent_motion, np.float32)
        self._window = encoder.motion_window
        self._rests = rests
        if turns is not None:
            self._speech = self._speech * turn_weight(turns, len(self._speech))

    def at(self, time: float) -> NDArray[np.float32]:
        """Tokens around ``time`` seconds, (W, D), one every 40 ms, the middle one at ``time``."""
        positions = motion_positions(time, self._window, len(self._tokens))
        low, high = int(positions[0]), min(int(positions[-1]) + 2, len(self._tokens))
        tokens = self._tokens.read(low, high).astype(np.float32)
        weight = self._speech[low:high, None]
        motion = interpolate(weight * tokens + (1 - weight) * self._silent, positions - low)
        ended = time - len(self._tokens) / MOTION_RATE
        if self._rests and ended > 0:
            share = np.float32(max(0.0, 1 - ended / BLEND))
            motion = share * motion + (1 - share) * self._silent
        return np.asarray(motion, np.float32)

    def close(self) -> None:
        """Release the files."""
        self._tokens.close()
