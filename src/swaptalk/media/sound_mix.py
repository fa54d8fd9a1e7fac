"""Mix words with the sound of a scene: gains, ducking, loudness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.audio import stream_audio
from swaptalk.media.loudness import amplitude, integrated_loudness, limited
from swaptalk.media.mel import FRAME_RATE, stream_log_mel
from swaptalk.media.mux import AUDIO_RATE, AudioSource
from swaptalk.media.voice_activity import level, speech_frames

#: Samples that are mixed at once.
BLOCK = 4800
#: Sound that is repeated fades out and in at its seams (seconds).
SEAM_FADE = 0.02
#: The scene is lowered this long before somebody speaks, stays lowered this long after, and pauses
#: shorter than this do not raise it (seconds).
DUCK_LEAD, DUCK_HOLD, DUCK_PAUSE = 0.2, 0.4, 1.0
#: Time in which it is lowered or raised (seconds).
DUCK_FADE = 0.4


@dataclass(frozen=True)
class Words:
    """A recording in the mix and its gain in dB."""

    source: AudioSource
    gain: float = 0.0


@dataclass(frozen=True)
class SoundMix:
    """Recordings over the sound of a scene; the sum is limited to `PEAK_CEILING`.

    The scene's sound begins with the output and is repeated if it is shorter.

    Args:
        words: recordings that begin together; silence follows their ends.
        scene: sound of the scene, None for the words alone.
        scene_gain: its gain in dB.
        duck_gain: further gain in dB while one of the recordings speaks.
    """

    words: tuple[Words, ...]
    scene: AudioSource | None = None
    scene_gain: float = 0.0
    duck_gain: float = 0.0

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are mixed."""
        scene = () if self.scene is None else (self.scene.path,)
        return (*(one.source.path for one in self.words), *scene)

    def channels(self) -> int:
        """Most channels of any of its files, at most two."""
        scene = [] if self.scene is None else [self.scene]
        return max(source.channels() for source in [*(one.source for one in self.words), *scene])

    def blocks(self, channels: int, total: int) -> Iterator[NDArray[np.float32]]:
        """Yield (n, channels) float32 at `AUDIO_RATE`, ``total`` samples in all."""
        return limited(self._sum(channels, total), AUDIO_RATE, channels)

    def _sum(self, channels: int, total: int) -> Iterator[NDArray[np.float32]]:
        words = [
            (one.source.blocks(channels, total, BLOCK), _factor(one.gain)) for one in self.words
        ]
        scene = None if self.scene is None else _repeated(self.scene, channels, total)
        ducking = self._ducking(total) if scene is not None and self.duck_gain else None
        for begin in range(0, total, BLOCK):
            samples = np.zeros((min(BLOCK, total - begin), channels), np.float32)
            for blocks, factor in words:
                _add(samples, next(blocks, None), factor)
            if scene is not None:
                gain = _factor(self.scene_gain)
                if ducking is not None:
                    at = (begin + np.arange(len(samples))) * (FRAME_RATE / AUDIO_RATE)
                    lowered = np.interp(at, np.arange(len(ducking)), ducking)[:, None]
                    gain = _factor(self.scene_gain + lowered * self.duck_gain)
                _add(samples, next(scene, None), gain)
            yield samples

    def _ducking(self, total: int) -> NDArray[np.float64]:
        """How far the scene is lowered, from 0 to 1, `FRAME_RATE` times a second."""
        frames = -(-total * FRAME_RATE // AUDIO_RATE) + 1
        spoken = np.zeros(frames, np.bool_)
        for one in self.words:
            mels = [level(mel) for mel in stream_log_mel(stream_audio(one.source.path))]
            speech = speech_frames(np.concatenate(mels))[:frames]
            spoken[: len(speech)] |= speech
        return duck_envelope(spoken)


def _factor(decibels: float | NDArray[np.float64]) -> NDArray[np.float32]:
    return np.atleast_1d(np.asarray(10 ** (np.asarray(decibels) / 20), np.float32))


def duck_envelope(spoken: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How far a scene is lowered under speech.

    Args:
        spoken: whether somebody speaks, (M,), `FRAME_RATE` a second.

    Returns:
        (M,) from 0 (not at all) to 1, with linear slopes of `DUCK_FADE`.
    """
    times = np.flatnonzero(spoken)
    if not len(times):
        return np.zeros(len(spoken))
    lowered = np.zeros(len(spoken) + 1)
    lead, hold, pause = (round(x * FRAME_RATE) for x in (DUCK_LEAD, DUCK_HOLD, DUCK_PAUSE))
    last = np.flatnonzero(np.diff(times) > pause)
    begins, ends = times[np.r_[0, last + 1]], times[np.r_[last, len(times) - 1]]
    for begin, end in zip(begins, ends, strict=True):
        lowered[max(0, begin - lead) : end + hold + 1] = 1
    width = round(DUCK_FADE * FRAME_RATE) | 1
    padded = np.pad(lowered[:-1], width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def _add(
    samples: NDArray[np.float32],
    block: NDArray[np.float32] | None,
    gain: NDArray[np.float32],
) -> None:
    """Add a block, which may be shorter, with a gain (1,) or (n, 1)."""
    if block is not None:
        count = min(len(block), len(samples))
        samples[:count] += block[:count] * (gain[:count] if len(gain) > 1 else gain)


def _repeated(source: AudioSource, channels: int, total: int) -> Iterator[NDArray[np.float32]]:
    """The sound from its beginning, again and again, in blocks of `BLOCK`."""
    rest = np.empty((0, channels), np.float32)
    given = 0
    for piece in _with_seams(source, channels, total):
        rest = np.concatenate([rest, piece])
        while len(rest) >= BLOCK and given < total:
            yield rest[:BLOCK]
            rest, given = rest[BLOCK:], given + BLOCK
        if given >= total:
            return


def _with_seams(source: AudioSource, channels: int, total: int) -> Iterator[NDArray[np.float32]]:
    fade = np.linspace(0, 1, round(SEAM_FADE * AUDIO_RATE), dtype=np.float32)[:, None]
    while True:
        waiting: NDArray[np.float32] | None = None
        for number, block in enumerate(source.blocks(channels, total, BLOCK)):
            if waiting is not None:
                yield waiting
            waiting = block.copy()
            if not number:
                count = min(len(fade), len(waiting))
                waiting[:count] *= fade[:count]
        if waiting is None:
            return
        count = min(len(fade), len(waiting))
        waiting[-count:] *= fade[::-1][-count:]
        yield waiting


def words_at(sources: Sequence[AudioSource], loudness: float | None) -> tuple[Words, ...]:
    """Recordings with the gain that gives each of them an integrated loudness in LUFS.

    Where peaks have to be limited the loudness is measured again behind the limiter and made up
    for. None leaves them as they are.

    Raises:
        InputError: a recording is silent.
    """
    return tuple(
        Words(source, 0.0 if loudness is None else _gain(source, loudness)) for source in sources
    )


def _gain(source: AudioSource, loudness: float) -> float:
    channels, gain = source.channels(), 0.0

    def spoken(factor: float) -> Iterator[NDArray[np.float32]]:
        for block in source.blocks(channels, None, BLOCK):
            yield block * np.float32(factor)

    measured = integrated_loudness(spoken(1.0), AUDIO_RATE, channels)
    for _ in range(2):
        if measured is None:
            raise InputError(
                "is too quiet for its loudness to be measured",
                path=source.path,
                remedy="give another recording, or leave out --loudness",
            )
        gain += loudness - measured
        made = limited(spoken(amplitude(gain)), AUDIO_RATE, channels)
        measured = integrated_loudness(made, AUDIO_RATE, channels)
    return gain
