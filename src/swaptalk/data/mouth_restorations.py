"""Mouths to be restored: frames of clips whose mouth the lip-sync network made as it really was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.motion import MotionTable, window
from swaptalk.data.mouths import moving
from swaptalk.data.restoration_sample import RestorationSample
from swaptalk.data.sampling import ItemSampler
from swaptalk.data.store import Dataset, Item
from swaptalk.faces.detection.lips import LipNetwork
from swaptalk.faces.editing.lip_composite import LipReference, agreeing
from swaptalk.faces.editing.mouth_restoration import mouth_guide, restore_mouth
from swaptalk.faces.geometry.mouth_motion import MotionStatistics
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.inference.bundle import ModelBundle

#: References of a sample at most, and how many frames they are away from it at least.
REFERENCES, APART = 6, 4
#: Least usable frames of a clip.
LEAST_FRAMES = 16
#: Width of the recogniser's vectors, which mouths do not ask for.
_IDENTITY = 128


class MouthRestorationMaker:
    """Makes sample ``k`` of a seed, always the same one.

    Args:
        dataset: with whole clips.
        items: clips that are used.
        networks: make the mouths.
        seed: of the samples.
    """

    def __init__(
        self, dataset: Dataset, items: list[Item], networks: ModelBundle, seed: int
    ) -> None:
        self._dataset, self._networks, self._seed = dataset, networks, seed
        self._motion = MotionTable(dataset)
        self._motion.statistics = MotionStatistics(*networks.motion_scale, networks.silent_motion)
        self._sampler = ItemSampler(
            [
                item
                for item in items
                if dataset.usable(item).sum() >= LEAST_FRAMES and moving(item, self._motion)
            ]
        )
        self._lips = LipNetwork()

    def __call__(self, number: int) -> RestorationSample:
        """Draw a frame and references of its clip, and let the lip-sync network move the mouth."""
        rng = np.random.default_rng([self._seed, number])
        (item,) = self._sampler.draw(rng, 1)
        frame, others = self._frames(item, rng)
        real, mesh = self._face(item, frame)
        references = agreeing([LipReference(*self._face(item, k)) for k in others])
        made = self._spoken(item, frame, real, references[int(rng.integers(len(references)))].crop)
        guide = mouth_guide(references, made, mesh, self._lips(made, mesh))
        return RestorationSample(
            np.stack([made, restore_mouth(made, guide), guide.on(real), real]),
            np.round(255 * guide.mask).astype(np.uint8),
            mesh[:, :2].astype(np.float16),
            np.full((2, _IDENTITY), np.nan, np.float32),
            np.float32(1),
        )

    def _frames(self, item: Item, rng: np.random.Generator) -> tuple[int, list[int]]:
        """A frame, and references away from it whose mouths are open by different amounts."""
        usable = np.flatnonzero(self._dataset.usable(item))
        frame = int(rng.choice(usable))
        away = usable[np.abs(usable - frame) >= APART]
        meshes = self._dataset.landmarks(item)
        order = sorted(away.tolist(), key=lambda k: mouth_openness(np.asarray(meshes[k])))
        parts = np.array_split(np.array(order), min(REFERENCES, len(order)))
        return frame, [int(rng.choice(part)) for part in parts]

    def _face(self, item: Item, frame: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        crop = self._dataset.picture(item, frame)
        mesh = np.array(self._dataset.landmarks(item)[frame], np.float32)
        return crop, self._lips(crop, mesh)

    def _spoken(
        self, item: Item, frame: int, real: NDArray[np.uint8], reference: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """The frame's face with the mouth of its measured motion."""
        networks = self._networks
        latents = networks.embed(networks.quantize(networks.encode(np.stack([real, reference]))))
        tokens = window(self._motion.tokens(item), frame, networks.motion_window)
        made = networks.decode(networks.lipsync(latents[:1], latents[1:], tokens[None]))
        return np.asarray(made[0])
