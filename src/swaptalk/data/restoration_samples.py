"""Samples for the restoration network: what run time has in hand for a face, and the real picture
that it should become.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.frames import FrameChoice
from swaptalk.data.motion import MotionTable
from swaptalk.data.mouth_restorations import MouthRestorationMaker
from swaptalk.data.restoration_sample import RestorationSample
from swaptalk.data.store import Dataset
from swaptalk.data.swap_restorations import SwapRestorationMaker
from swaptalk.data.unit_arrays import save_array
from swaptalk.inference.bundle import ModelBundle
from swaptalk.workers.pool import map_unordered

#: Samples in one file of the cache: 60 MB.
CHUNK = 64
#: Share of swapped faces taken from clips, where mouths speak; in photos they smile.
VIDEO_SHARE = 0.3
#: To be raised whenever samples are made in another way.
_VERSION = 6
#: Arrays of a chunk; the last one written completes it.
_PARTS = ("pictures", "mask", "mesh", "identity", "weight")


@dataclass(frozen=True)
class SampleRecipe:
    """What samples are made of."""

    data: Path
    """Dataset with photos."""
    clips: Path
    """Dataset with whole clips."""
    bundle: Path
    """Weights whose faces are restored."""
    judged: bool
    """Of people that a run is judged on, else of those that it learns from."""
    validation_share: float
    mouth_share: float
    """Share of samples whose mouth the lip-sync network made."""
    maximum_scale: float
    sharpness: float
    excluded: frozenset[str] = field(default_factory=frozenset)
    seed: int = 0

    def photos(self) -> FrameChoice:
        """Pictures that swapped faces are made of."""
        return FrameChoice(
            self.data,
            self.judged,
            self.validation_share,
            VIDEO_SHARE,
            self.sharpness,
            self.maximum_scale,
            self.excluded,
        )

    def name(self) -> str:
        """Name of the folder of the samples: another one if anything here or the weights change,
        wherever the folders lie.
        """
        weights = ModelBundle.from_pretrained(self.bundle, 1).fingerprint
        folders = {"data": None, "clips": self.clips == self.data, "bundle": weights}
        made_of = {**asdict(self), **folders, "excluded": sorted(self.excluded)}
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        return f"restoration{_VERSION}-{'judged' if self.judged else 'train'}-{digest[:16]}"


class _ChunkMaker:
    """Makes whole chunks of so many samples; made once in each process."""

    def __init__(self, recipe: SampleRecipe, folder: Path, size: int) -> None:
        networks = ModelBundle.from_pretrained(recipe.bundle, 1)
        self._swaps = SwapRestorationMaker(recipe.photos().sampler(), networks, recipe.seed)
        self._mouths: MouthRestorationMaker | None = None
        if recipe.mouth_share:
            clips = Dataset(recipe.clips, recipe.validation_share)
            real = clips.judged(("real",)) if recipe.judged else clips.select("train", ("real",))
            items = [item for item in real if item.name not in recipe.excluded]
            self._mouths = MouthRestorationMaker(clips, items, networks, recipe.seed)
        self._share, self._folder, self._size = recipe.mouth_share, folder, size

    def __call__(self, chunk: int) -> int:
        mouths = round(self._size * self._share)
        samples: list[RestorationSample] = []
        for place in range(self._size):
            number = chunk * CHUNK + place
            if place < mouths and self._mouths is not None:
                samples.append(self._mouths(number))
            else:
                samples.append(self._swaps(number))
        for part in _PARTS:
            values = np.stack([getattr(sample, part) for sample in samples])
            save_array(self._folder / f"{chunk:05d}-{part}.npy", values)
        return chunk


class RestorationSamples:
    """Samples made once and kept beside the dataset; the cache can grow at any time.

    Args:
        recipe: how they are made.
    """

    def __init__(self, recipe: SampleRecipe) -> None:
        self._recipe = recipe
        self.folder = recipe.data / recipe.name()
        self._chunks: list[dict[str, NDArray[Any]]] = []
        self._ends: NDArray[np.intp] = np.zeros(0, np.intp)

    def build(
        self, count: int, workers: int, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Make what is missing of the first ``count`` samples, in whole chunks (fewer than a chunk
        only if there is no more than one), and open them.

        Args:
            count: samples wanted.
            workers: processes that make them.
            progress: called with (chunks done, chunks missing at first) after each.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._recipe.mouth_share:
            MotionTable(Dataset(self._recipe.clips)).build()
        last = _PARTS[-1]
        missing = [
            k
            for k in range(-(-count // CHUNK))
            if not (self.folder / f"{k:05d}-{last}.npy").exists()
        ]
        make = partial(_ChunkMaker, self._recipe, self.folder, min(count, CHUNK))
        for done, _ in enumerate(map_unordered(make, missing, workers), 1):
            if progress is not None:
                progress(done, len(missing))
        self.load()

    def load(self) -> None:
        """Open every complete chunk that is there."""
        self._chunks = [
            {
                part: np.load(path.with_name(path.name.replace(_PARTS[-1], part)), mmap_mode="r")
                for part in _PARTS
            }
            for path in sorted(self.folder.glob(f"*-{_PARTS[-1]}.npy"))
        ]
        self._ends = np.cumsum([len(chunk["weight"]) for chunk in self._chunks])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> RestorationSample:
        """One of the samples."""
        chunk = int(np.searchsorted(self._ends, index, side="right"))
        place = index - (int(self._ends[chunk - 1]) if chunk else 0)
        return RestorationSample(**{part: self._chunks[chunk][part][place] for part in _PARTS})
