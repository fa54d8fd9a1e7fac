"""What a speech recogniser makes of each clip's sound, computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swaptalk.assets import catalogue
from swaptalk.data.store import Dataset, Item
from swaptalk.data.unit_arrays import UnitArrays
from swaptalk.models.whisper import FEATURES, WhisperEncoder

#: The pinned file, and the folder of the dataset that keeps what it heard.
FILE = "whisper-base"
#: Clips whose features stay in memory.
_KEPT = 4096


class RecognisedSpeech:
    """Features of Whisper's encoder for every clip with sound, kept in ``DATASET/whisper-base``.

    Args:
        dataset: its sound.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._stored = UnitArrays(dataset.folder / FILE, "what Whisper heard")
        self._kept = lru_cache(_KEPT)(self._load)

    def build(
        self, items: Sequence[Item], progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Compute what is not there yet, with the pinned file ``whisper-base``.

        Args:
            items: clips with sound.
            progress: called with (clips done, clips missing at first).
        """
        by_unit: dict[str, list[Item]] = {}
        for item in items:
            by_unit.setdefault(item.unit, []).append(item)
        if all(self._stored.has(unit) for unit in by_unit):
            return
        encoder = WhisperEncoder(catalogue.resolve(FILE))

        def compute(unit: str) -> NDArray[np.float16]:
            features = np.zeros((len(self._dataset.unit(unit).usable), FEATURES), np.float16)
            for item in by_unit[unit]:
                heard = encoder.hear(self._dataset.audio(item))
                features[item.first : item.first + item.count] = heard[: item.count]
            return features

        self._stored.build(by_unit, compute, progress)

    def _load(self, item: Item) -> NDArray[np.float16]:
        return np.array(self._stored(item.unit)[item.first : item.first + item.count])

    def __call__(self, item: Item) -> NDArray[np.float16]:
        """Features (count, FEATURES) of a clip, one for each frame."""
        return self._kept(item)

    def scale(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and spread (FEATURES,) over clips."""
        total, squares, count = np.zeros(FEATURES), np.zeros(FEATURES), 0
        for item in items:
            features = self(item).astype(np.float64)
            total += features.sum(axis=0)
            squares += (features**2).sum(axis=0)
            count += len(features)
        mean = total / max(1, count)
        spread = np.sqrt(np.maximum(squares / max(1, count) - mean**2, 1e-6))
        return mean.astype(np.float32), spread.astype(np.float32)
