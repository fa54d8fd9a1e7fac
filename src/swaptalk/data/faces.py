"""Faces as tensors, their augmentation, and faces of people that a run is judged on."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swaptalk.data.sampling import usable_frame
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError
from swaptalk.faces.geometry.align import CROP_SIZE

#: Random change of light: gain of each channel, contrast and brightness vary by up to half of
#: these, in [-1, 1] units.
CHANNEL_GAIN, CONTRAST, BRIGHTNESS = 0.15, 0.3, 0.2


def to_faces(pictures: Tensor) -> Tensor:
    """Pictures uint8 (..., H, W, 3) -> float32 (..., 3, H, W) in [-1, 1], channels last in
    memory.
    """
    return pictures.movedim(-1, -3).float().div_(127.5).sub_(1)


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Convert an array of pictures as `to_faces` does."""
    return to_faces(torch.from_numpy(np.ascontiguousarray(pictures)))


def to_pictures(faces: Tensor) -> NDArray[np.uint8]:
    """Faces (N, 3, H, W), about [-1, 1] -> uint8 (N, H, W, 3)."""
    scaled = (faces.float().clamp(-1, 1) + 1) * 127.5
    return np.asarray(scaled.round().byte().permute(0, 2, 3, 1).cpu().numpy(), np.uint8)


def draw_augmentation(rng: np.random.Generator, count: int) -> dict[str, Tensor]:
    """Draw what `augment` does to ``count`` faces: which are mirrored, and how light and colour
    vary.
    """

    def vary(width: float, channels: int = 1) -> Tensor:
        return torch.from_numpy(
            (width * (rng.random((count, channels, 1, 1)) - 0.5)).astype(np.float32)
        )

    mirror = torch.from_numpy(rng.random(count) < 0.5)
    strength = torch.from_numpy(rng.random((count, 1, 1, 1)).astype(np.float32))
    gain = (1 + vary(CHANNEL_GAIN, 3) * strength) * (1 + vary(CONTRAST))
    return {"mirror": mirror, "gain": gain, "brightness": vary(BRIGHTNESS)}


def augment(faces: Tensor, drawn: dict[str, Tensor]) -> Tensor:
    """Mirror some of the faces (N, 3, H, W) in [-1, 1] and vary their light and colour; same shape
    and range.

    Args:
        faces: on any device.
        drawn: what `draw_augmentation` returned, on the same device.
    """
    faces = torch.where(drawn["mirror"][:, None, None, None], faces.flip(-1), faces)
    return (faces * drawn["gain"] + drawn["brightness"]).clamp_(-1, 1)


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


def face_area(mesh: NDArray[np.floating], size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """Soft mask (size, size) of the convex hull of a mesh (468, 2) in crop pixels, 0..255."""
    canvas = np.zeros((size, size), np.uint8)
    points = np.asarray(mesh[:, :2], np.float32) * (size / CROP_SIZE)
    cv2.fillPoly(canvas, [np.round(cv2.convexHull(points)).astype(np.int32)], (255,))
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.012 * size), np.uint8)
