"""The mouth views of a dataset's clips, cached for the training of the sync network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.store import Dataset, Item
from swaptalk.data.unit_arrays import UnitArrays
from swaptalk.faces.geometry.mouth_view import VIEW_HEIGHT, VIEW_WIDTH, fill_gaps, mouth_view


class MouthViews:
    """Mouth views of every clip of a dataset, in ``DATASET/mouth_views/<unit>.npy``.

    Args:
        dataset: the clips.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._arrays = UnitArrays(dataset.folder / "mouth_views", "the mouth views")

    def build(self, items: list[Item], progress: Callable[[int, int], None] | None = None) -> None:
        """Cut out what is not cached yet; an interrupted build goes on where it was."""
        clips = {item.unit: item for item in items}
        self._arrays.build(clips, lambda unit: self._cut(clips[unit]), progress)

    def _cut(self, item: Item) -> NDArray[np.uint8]:
        """Views of a clip, which is alone in its unit; frames without a face repeat the one
        before.
        """
        sizes = np.diff(self.dataset.unit(item.unit).offsets)
        views = np.zeros((item.count, VIEW_HEIGHT, VIEW_WIDTH), np.uint8)
        shown = np.flatnonzero(sizes[item.first : item.first + item.count])
        for frame in shown:
            views[frame] = mouth_view(self.dataset.picture(item, int(frame)))
        return fill_gaps(views, shown)

    def __call__(self, item: Item) -> NDArray[np.uint8]:
        """Views (count, 48, 96) uint8 of a clip, mapped from disk."""
        return self._arrays(item.unit)
