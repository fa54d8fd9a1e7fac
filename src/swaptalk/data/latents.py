"""Cache of the embeddings of a dataset; the encoder is frozen, so later stages train on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swaptalk.data.faces import to_tensor
from swaptalk.data.store import Dataset, Item
from swaptalk.data.unit_arrays import UnitArrays
from swaptalk.data.windows import window_starts
from swaptalk.errors import InputError
from swaptalk.models.vqgan import VQGAN

#: Faces encoded at once.
_BATCH = 32
#: Consecutive frames that are embedded together where only some of a clip are: twice the VQ-Lip
#: expert's window, so that a run holds several windows.
RUN_FRAMES = 10


def spread_runs(usable: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Choose at most ``count`` usable frames (n,), in runs of `RUN_FRAMES` spread over the clip.

    Where no run is that long, single frames are spread instead.
    """
    if usable.sum() <= count:
        return usable
    chosen = np.zeros(len(usable), np.bool_)
    starts, length, wanted = window_starts(usable, RUN_FRAMES), RUN_FRAMES, count // RUN_FRAMES
    if not len(starts):
        starts, length, wanted = np.flatnonzero(usable), 1, count
    for start in starts[np.linspace(0, len(starts) - 1, wanted).astype(int)]:
        chosen[start : start + length] = True
    return chosen


def usable_frames(dataset: Dataset, clip_frames: int = 0) -> Callable[[Item], NDArray[np.bool_]]:
    """Return a function that says which frames (count,) of an item show the face well enough and
    are embedded; nothing else may be drawn.

    Args:
        dataset: of the items.
        clip_frames: as of `LatentCache`.
    """

    @lru_cache(None)
    def usable(item: Item) -> NDArray[np.bool_]:
        frames = dataset.usable(item)
        return spread_runs(frames, clip_frames) if clip_frames else frames

    return usable


class LatentCache:
    """Unquantised latents of pictures, float16, in ``DATASET/latents/<encoder>/<unit>.npy``.

    With ``clip_frames`` only some frames of long clips are embedded, in
    ``DATASET/latents/<encoder>-<N>-frames``; the files' other rows are zeros and take no room on
    disk. Units that the whole cache has are read from there.

    Args:
        dataset: the pictures.
        encoder: fingerprint of the encoder's weights; other weights have another cache.
        clip_frames: embed at most so many frames of each clip, see `spread_runs`; 0: all.

    Raises:
        InputError: ``clip_frames`` is too small for a single run.
    """

    def __init__(self, dataset: Dataset, encoder: str, clip_frames: int = 0) -> None:
        if clip_frames and clip_frames < RUN_FRAMES:
            raise InputError(
                f"{clip_frames} frames of a clip are too few to embed",
                remedy=f"give 0 (all) or at least {RUN_FRAMES}",
            )
        self.dataset, self._clip_frames = dataset, clip_frames
        everything = dataset.folder / "latents" / encoder
        what = "the cached embeddings"
        self._whole = UnitArrays(everything, what)
        self._arrays = self._whole
        if clip_frames:
            self._arrays = UnitArrays(everything.with_name(f"{encoder}-{clip_frames}-frames"), what)
        self.usable = usable_frames(dataset, clip_frames)

    @property
    def folder(self) -> Path:
        """Return the folder of the embeddings."""
        return self._arrays.folder

    def build(
        self,
        items: Iterable[Item],
        vqgan: VQGAN,
        device: torch.device | str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Encode what is not cached yet; an interrupted build continues.

        Args:
            items: those that will be read; whatever shares a unit with them is encoded too.
            vqgan: frozen encoder.
            device: where it is.
            progress: called with (units done, units missing at first) after each.
        """
        wanted = {item.unit for item in items}
        by_unit: dict[str, list[Item]] = {}
        for item in self.dataset.items:
            if item.unit in wanted and not self._whole.has(item.unit):
                by_unit.setdefault(item.unit, []).append(item)
        self._arrays.build(
            by_unit, lambda unit: self._encode_unit(unit, by_unit[unit], vqgan, device), progress
        )

    def _encode_unit(
        self, unit: str, items: list[Item], vqgan: VQGAN, device: torch.device | str
    ) -> NDArray[np.float16]:
        sizes = np.diff(self.dataset.unit(unit).offsets)
        grid = 256 // vqgan.config.downsampling
        latents = np.zeros((len(sizes), vqgan.config.latent_channels, grid, grid), np.float16)
        wanted = [
            (item, int(k)) for item in items for k in np.flatnonzero(self._embedded(item, sizes))
        ]
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            faces = to_tensor(np.stack([self.dataset.picture(item, k) for item, k in part])).to(
                device
            )
            with torch.inference_mode():
                encoded = vqgan.encode(faces).half().cpu().numpy()
            latents[[item.first + k for item, k in part]] = encoded
        return latents

    def _embedded(self, item: Item, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Frames (count,) of an item to encode: all that have a picture, or the chosen ones."""
        return (
            self.usable(item)
            if self._clip_frames
            else sizes[item.first : item.first + item.count] > 0
        )

    def __call__(self, item: Item) -> NDArray[np.float16]:
        """Latents (count, C, 16, 16) float16 of an item, mapped from disk; zeros where a frame is
        not embedded.
        """
        arrays = self._whole if self._whole.has(item.unit) else self._arrays
        return arrays(item.unit)[item.first : item.first + item.count]

    def stack(self, picked: list[tuple[Item, int]]) -> Tensor:
        """Latents float32 (N, C, 16, 16) of frames of items."""
        return torch.from_numpy(
            np.stack([self(item)[frame] for item, frame in picked]).astype(np.float32)
        )
