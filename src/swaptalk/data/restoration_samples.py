"""Samples for the restoration network: what run time has in hand for a face, and the real picture
that it should become.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
#: To be raised whenever samples are made in another way.
_VERSION = 1
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

    @property
    def name(self) -> str:
        """Name of the folder of the samples."""
        whose = "judged" if self.judged else "train"
        print_of_weights = ModelBundle.from_pretrained(self.bundle, 1).fingerprint[:16]
        return f"restoration{_VERSION}-{print_of_weights}-{whose}-{self.seed}"


class _ChunkMaker:
    """Makes whole chunks of so many samples; made once in each process."""

    def __init__(self, recipe: SampleRecipe, folder: Path, size: int) -> None:
        networks = ModelBundle.from_pretrained(recipe.bundle, 1)
        photos, clips = (
            Dataset(path, recipe.validation_share) for path in (recipe.data, recipe.clips)
        )
        self._mouths = (
            MouthRestorationMaker(
                clips,
                clips.judged(("real",)) if recipe.judged else clips.select("train", ("real",)),
                networks,
                recipe.seed,
            )
            if recipe.mouth_share
            else None
        )
        items = photos.judged() if recipe.judged else photos.select("train")
        self._swaps = SwapRestorationMaker(
            photos,
            [i for i in items if i.scale <= recipe.maximum_scale and i.name not in recipe.excluded],
            networks,
            recipe.seed,
            recipe.sharpness,
        )
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
        self.folder = recipe.data / recipe.name
        self._chunks: list[dict[str, NDArray[Any]]] = []

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

    def __len__(self) -> int:
        return sum(len(chunk["weight"]) for chunk in self._chunks)

    def __getitem__(self, index: int) -> RestorationSample:
        """One of the samples."""
        chunk, place = divmod(index, CHUNK)
        return RestorationSample(**{part: self._chunks[chunk][part][place] for part in _PARTS})
