"""The mouth views of a dataset's clips, cached for the training of the sync network."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.latents import save_array
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError
from swaptalk.faces.mouth_view import VIEW_HEIGHT, VIEW_WIDTH, fill_gaps, mouth_view

#: Units whose views stay open.
_OPEN_UNITS = 256


class MouthViews:
    """Mouth views of every clip of a dataset, in ``DATASET/mouth_views/<unit>.npy``.

    Args:
        dataset: the clips.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.folder = dataset.folder / "mouth_views"
        self._open = lru_cache(_OPEN_UNITS)(self._load)

    def _load(self, unit: str) -> NDArray[np.uint8]:
        try:
            array: NDArray[np.uint8] = np.load(self.folder / f"{unit}.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InputError(f"the mouth views of {unit} cannot be read", path=self.folder,
                             remedy="delete the folder; it is made again") from error  # fmt: skip
        return array

    def build(self, items: list[Item], progress: Callable[[int, int], None] | None = None) -> None:
        """Cut out what is not cached yet; an interrupted build goes on where it was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [item for item in items if not (self.folder / f"{item.unit}.npy").exists()]
        for done, item in enumerate(missing, 1):
            save_array(self.folder / f"{item.unit}.npy", self._cut(item))
            if progress is not None:
                progress(done, len(missing))

    def _cut(self, item: Item) -> NDArray[np.uint8]:
        """Views of a clip, which is alone in its unit; frames without a face repeat the one before."""
        sizes = np.diff(self.dataset.unit(item.unit).offsets)
        views = np.zeros((item.count, VIEW_HEIGHT, VIEW_WIDTH), np.uint8)
        shown = np.flatnonzero(sizes[item.first : item.first + item.count])
        for frame in shown:
            views[frame] = mouth_view(self.dataset.picture(item, int(frame)))
        return fill_gaps(views, shown)

    def __call__(self, item: Item) -> NDArray[np.uint8]:
        """Views (count, 48, 96) uint8 of a clip, mapped from disk."""
        return self._open(item.unit)
