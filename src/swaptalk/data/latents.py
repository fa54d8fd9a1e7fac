"""Embeddings of a whole dataset, computed once: the encoder is frozen, so later stages train on these."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swaptalk.data.faces import to_tensor
from swaptalk.data.store import Dataset, Item
from swaptalk.data.unit_arrays import UnitArrays
from swaptalk.models.vqgan import VQGAN

#: Faces encoded at once.
_BATCH = 32

class LatentCache:
    """Unquantised latents of every picture, float16, in ``DATASET/latents/<encoder>/<unit>.npy``.

    Args:
        dataset: the pictures.
        encoder: fingerprint of the encoder's weights; other weights have another cache.
    """

    def __init__(self, dataset: Dataset, encoder: str) -> None:
        self.dataset = dataset
        self.folder = dataset.folder / "latents" / encoder
        self._arrays = UnitArrays(self.folder, "the cached embeddings")

    def build(
        self, vqgan: VQGAN, device: torch.device | str = "cpu", progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Encode what is not cached yet; an interrupted build goes on where it was."""
        by_unit: dict[str, list[Item]] = {}
        for item in self.dataset.items:
            by_unit.setdefault(item.unit, []).append(item)
        self._arrays.build(by_unit, lambda unit: self._encode_unit(unit, by_unit[unit], vqgan, device), progress)

    def _encode_unit(
        self, unit: str, items: list[Item], vqgan: VQGAN, device: torch.device | str
    ) -> NDArray[np.float16]:
        sizes = np.diff(self.dataset.unit(unit).offsets)
        grid = 256 // vqgan.config.downsampling
        latents = np.zeros((len(sizes), vqgan.config.latent_channels, grid, grid), np.float16)
        wanted = [(i, k) for i in items for k in range(i.count) if sizes[i.first + k]]
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            faces = to_tensor(np.stack([self.dataset.picture(item, k) for item, k in part])).to(device)
            with torch.inference_mode():
                encoded = vqgan.encode(faces).half().cpu().numpy()
            latents[[item.first + k for item, k in part]] = encoded
        return latents

    def __call__(self, item: Item) -> NDArray[np.float16]:
        """Latents (count, C, 16, 16) float16 of an item, mapped from disk; zeros where there is no face."""
        return self._arrays(item.unit)[item.first : item.first + item.count]

    def stack(self, picked: list[tuple[Item, int]]) -> Tensor:
        """Latents float32 (N, C, 16, 16) of frames of items."""
        return torch.from_numpy(np.stack([self(item)[frame] for item, frame in picked]).astype(np.float32))
