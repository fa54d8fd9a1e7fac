"""Batches of speech with the mouth motion that belongs to it, from synchronous clips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swaptalk.data.augment_speech import augment_mel, drown, resample_time
from swaptalk.data.motion import MotionTable
from swaptalk.data.recognised_speech import RecognisedSpeech
from swaptalk.data.sampling import ItemSampler
from swaptalk.data.store import Dataset, Item
from swaptalk.data.windows import mel_window
from swaptalk.media.mel import MELS_PER_PICTURE, SILENCE

#: Speed of speech and motion together varies by up to this share.
SPEED = 0.15
#: Share of stretches whose sound breaks off somewhere, as live speech has not been heard further,
#: the least number of tokens before that, and tokens before the break that nobody could know.
BROKEN_SHARE, LEAST_HEARD, UNKNOWABLE = 0.25, 20, 3
#: Tokens of an inserted pause.
PAUSE_TOKENS = (12, 38)
#: Tokens around an inserted pause whose motion nobody knows, and tokens after its beginning until
#: the mouth rests.
PAUSE_MARGIN, UNTIL_REST = 4, 4


class SpeechSampler:
    """Stretches of speech with the motion that belongs to them, augmented.

    Args:
        dataset: its sound.
        motion: its motion tokens.
        items: clips whose sound is drawn.
        tokens: length of a stretch, at 25 a second.
        offsets: tokens by which the lips of a clip are later than its sound, by its name; of clips
            that are not in it the motion is not known. None: all fit as they are.
        recognised: what a speech recogniser hears; None: nobody asked it.
        paused_share: share of stretches in which some speech gives way to the noise of a room.
    """

    def __init__(
        self,
        dataset: Dataset,
        motion: MotionTable,
        items: list[Item],
        tokens: int,
        offsets: Mapping[str, int] | None = None,
        recognised: RecognisedSpeech | None = None,
        paused_share: float = 0.0,
    ) -> None:
        self._dataset, self._motion, self._length = dataset, motion, tokens
        self._offsets, self._recognised, self._paused_share = offsets, recognised, paused_share
        self._sampler = ItemSampler(items, 0.0)

    def draw(self, rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        """``count`` stretches.

        Returns:
            Sound ``mel`` (N, 4 T, 80), ``tokens`` (N, T, D), ``known`` (N, T): 1 where they were
            measured, ``resting`` (N, T): 1 in pauses; with a recogniser also ``features``
            (N, T, F), and ``heard`` (N, T): 1 where the sound is there as it was recognised.
        """
        samples = [self._one(item, rng) for item in self._sampler.draw(rng, count)]
        return {key: torch.from_numpy(np.stack([s[key] for s in samples])) for key in samples[0]}

    def _one(self, item: Item, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        taken = round(self._length * rng.uniform(1 - SPEED, 1 + SPEED))
        start = int(rng.integers(0, max(1, item.count - taken + 1)))
        mel = resample_time(
            mel_window(self._dataset.mel(item), start, taken), MELS_PER_PICTURE * self._length
        )
        heard = np.ones(self._length, np.float32)
        resting = self._pauses(item, start, taken)
        if rng.random() < self._paused_share:
            mel, pause = self._paused(mel, rng)
            around = slice(max(0, pause.start - PAUSE_MARGIN), pause.stop + PAUSE_MARGIN)
            heard[around], resting[around] = 0, 0
            resting[pause.start + UNTIL_REST : pause.stop - UNTIL_REST] = 1
        mel = augment_mel(mel, rng)
        if self._recognised is not None:
            heard[round((item.count - start) * self._length / taken) :] = 0
            if rng.random() < BROKEN_SHARE:
                end = int(rng.integers(LEAST_HEARD, self._length))
                mel[MELS_PER_PICTURE * end :] = SILENCE
                heard[end - UNKNOWABLE :] = 0
        tokens, known = self._motion_of(item, start, taken)
        sample = {"mel": mel, "tokens": tokens, "known": known * heard, "resting": resting}
        if self._recognised is not None:
            features = np.asarray(self._recognised(item)[start : start + taken], np.float32)
            sample["features"] = resample_time(_filled(features, taken), self._length)
            sample["heard"] = heard
        return sample

    def _pauses(self, item: Item, start: int, taken: int) -> NDArray[np.float32]:
        """Where nobody speaks in a stretch, (T,) of 0 or 1."""
        silent = np.asarray(self._dataset.speech(item)[start : start + taken] == 0, np.float32)
        return (resample_time(_filled(silent[:, None], taken), self._length)[:, 0] > 0.99).astype(
            np.float32
        )

    def _paused(
        self, mel: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], slice]:
        """A stretch of sound with a pause in it, and which tokens that is."""
        length = min(int(rng.integers(*PAUSE_TOKENS)), self._length // 2)
        start = int(rng.integers(0, self._length - length + 1))
        paused = slice(MELS_PER_PICTURE * start, MELS_PER_PICTURE * (start + length))
        return drown(mel, paused, rng), slice(start, start + length)

    def _motion_of(
        self, item: Item, start: int, taken: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Tokens (T, D) of a stretch and where they are known (T,)."""
        finite: NDArray[np.bool_] = np.isfinite(self._motion.raw(item))
        offset = 0 if self._offsets is None else self._offsets.get(item.name)
        known = np.asarray(finite.all(axis=1) & (offset is not None), np.float32)
        first = start + (offset or 0)
        index = np.arange(first, first + taken)
        inside = (index >= 0) & (index < item.count)
        index = np.clip(index, 0, item.count - 1)
        measured = resample_time((known[index] * inside)[:, None], self._length)[:, 0] > 0.99
        tokens = resample_time(self._motion.tokens(item)[index], self._length)
        return tokens, measured.astype(np.float32)


def _filled(values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """A series (T, D) that ends with zeros where it is shorter than ``length``."""
    return np.pad(values, ((0, length - len(values)), (0, 0)))
