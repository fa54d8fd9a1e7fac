"""Batches of single faces for the autoencoder, with augmentation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swaptalk.data.sampling import MixedSampler, usable_frame
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError

#: Random change of light: gain of each channel, contrast and brightness vary by up to half of
#: these, in [-1, 1] units.
CHANNEL_GAIN, CONTRAST, BRIGHTNESS = 0.15, 0.3, 0.2
#: Draws after which a batch gives up finding usable frames.
_ATTEMPTS = 50


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Pictures uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [-1, 1], channels last in memory."""
    return (
        torch.from_numpy(np.ascontiguousarray(pictures))
        .permute(0, 3, 1, 2)
        .float()
        .div_(127.5)
        .sub_(1)
    )


def to_pictures(faces: Tensor) -> NDArray[np.uint8]:
    """Faces (N, 3, H, W), about [-1, 1] -> uint8 (N, H, W, 3)."""
    scaled = (faces.float().clamp(-1, 1) + 1) * 127.5
    return np.asarray(scaled.round().byte().permute(0, 2, 3, 1).cpu().numpy(), np.uint8)


def augment(faces: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of the faces (N, 3, H, W) in [-1, 1] and vary their light and colour; same shape
    and range.
    """
    n = len(faces)

    def vary(width: float, channels: int = 1) -> Tensor:
        return torch.from_numpy(
            (width * (rng.random((n, channels, 1, 1)) - 0.5)).astype(np.float32)
        )

    mirror = torch.from_numpy(rng.random(n) < 0.5)
    faces = torch.where(mirror[:, None, None, None], faces.flip(-1), faces)
    strength = torch.from_numpy(rng.random((n, 1, 1, 1)).astype(np.float32))
    gain = (1 + vary(CHANNEL_GAIN, 3) * strength) * (1 + vary(CONTRAST))
    return (faces * gain + vary(BRIGHTNESS)).clamp_(-1, 1)


class FaceSampler:
    """Random faces of a dataset: photos, and frames of clips.

    Args:
        dataset: where from.
        video_share: share of faces taken from clips, if there are any.
        maximum_scale: clips and photos enlarged more than this are left out; they are blurred.
        sharpness: preference for sharp pictures, see `ItemSampler`.
    """

    def __init__(
        self, dataset: Dataset, video_share: float, maximum_scale: float, sharpness: float
    ) -> None:
        self._dataset = dataset
        items = [i for i in dataset.select("train") if i.scale <= maximum_scale]
        if not items:
            raise InputError(
                "every picture is too small", path=dataset.folder, remedy="raise --maximum-scale"
            )
        self._sampler = MixedSampler(items, video_share, sharpness)

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
        """Draw crops uint8 (count, 256, 256, 3)."""
        return np.stack([self._one(rng) for _ in range(count)])

    def _one(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        for _ in range(_ATTEMPTS):
            item = self._sampler.draw(rng)
            frame = usable_frame(self._dataset.usable(item), rng)
            if frame is not None:
                return self._dataset.picture(item, frame)
        raise InputError(
            "hardly any usable frame", path=self._dataset.folder, remedy="prepare other data"
        )


def held_out_faces(dataset: Dataset, count: int, maximum_scale: float = 1.6) -> NDArray[np.uint8]:
    """Return up to ``count`` fixed faces of different validation people, uint8 (n, 256, 256, 3).

    Where a dataset has none (a smoke run), training people stand in.

    Raises:
        InputError: the dataset has no usable face at all.
    """
    chosen: dict[str, Item] = {}
    for item in dataset.judged():
        if item.scale <= maximum_scale or item.identity not in chosen:
            chosen.setdefault(item.identity, item)
    order = sorted(
        chosen.values(), key=lambda i: (i.scale > maximum_scale, i.kind != "photo", i.name)
    )
    faces = []
    for item in order:
        frame = usable_frame(dataset.usable(item), np.random.default_rng(0))
        if frame is not None:
            faces.append(dataset.picture(item, frame))
        if len(faces) == count:
            break
    if not faces:
        raise InputError(
            "no usable face to judge on", path=dataset.folder, remedy="prepare other data"
        )
    return np.stack(faces)
