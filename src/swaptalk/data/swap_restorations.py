"""Swapped faces to be restored: triplets, corrected by the swap network and decoded."""

from __future__ import annotations

import cv2
import numpy as np

from swaptalk.data.frames import FrameSampler
from swaptalk.data.restoration_sample import RestorationSample
from swaptalk.data.triplets import MASK_SIZE, TripletMaker
from swaptalk.faces.editing.fine_structure import restore_fine_structure
from swaptalk.inference.bundle import ModelBundle


class SwapRestorationMaker:
    """Makes sample ``k`` of a seed, always the same one.

    Args:
        frames: where pictures come from.
        networks: encode, correct and decode the composites.
        seed: of the triplets.
    """

    def __init__(self, frames: FrameSampler, networks: ModelBundle, seed: int) -> None:
        self._dataset, self._networks = frames.dataset, networks
        self._make = TripletMaker(frames, seed)

    def __call__(self, number: int) -> RestorationSample:
        """Make the triplet and what run time makes of its composite."""
        made, networks = self._make(number), self._networks
        composite = made.composite
        size = (MASK_SIZE, MASK_SIZE)
        mask = np.asarray(
            cv2.resize(composite.mask, size, interpolation=cv2.INTER_AREA), np.float32
        )
        latents = networks.encode(np.stack([composite.picture, made.photo]))
        identity = networks.identity(latents[1:])
        swapped = networks.swap(latents[:1], mask[None, None], identity)
        face = networks.decode(swapped)[0]
        restored = restore_fine_structure(face, composite, made.target)
        real = made.role != "role"
        answer = self._dataset.picture(*made.answer) if real else restored
        whose = made.answer[0] if real else made.source[0]
        return RestorationSample(
            np.stack([face, restored, composite.picture, answer]),
            np.round(255 * composite.mask).astype(np.uint8),
            composite.mesh[:, :2].astype(np.float16),
            np.stack([self._dataset.embedding(item) for item in (made.source[0], whose)]),
            np.float32(real),
        )
