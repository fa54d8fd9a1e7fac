"""Draw random frames: of anybody, of somebody else, or of the same person again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swaptalk.data.latents import usable_frames
from swaptalk.data.sampling import MixedSampler, usable_frame
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError

Frame = tuple[Item, int]
#: Items without a usable frame that are drawn one after another before drawing gives up.
_ATTEMPTS = 1000


class FrameSampler:
    """Draws usable frames of a dataset.

    Args:
        dataset: where from.
        video_share: share of frames taken from clips, where there are any.
        sharpness: preference for sharp pictures, see `MixedSampler`.
        maximum_scale: pictures enlarged more than this are left out.
        excluded: names of items that must not be drawn.
        items: to draw from; None takes the dataset's training people.
        clip_frames: draw only those frames of clips that a `LatentCache` of so many embeds; 0: all.

    Raises:
        InputError: there are no such frames.
    """

    def __init__(
        self,
        dataset: Dataset,
        video_share: float,
        sharpness: float,
        maximum_scale: float,
        excluded: Collection[str] = (),
        items: list[Item] | None = None,
        clip_frames: int = 0,
    ) -> None:
        self.dataset, self._usable = dataset, usable_frames(dataset, clip_frames)
        items = self.dataset.select("train") if items is None else items
        left_out = set(excluded)
        self.items = [i for i in items if i.scale <= maximum_scale and i.name not in left_out]
        if not self.items:
            raise InputError(
                "every picture is too small or left out",
                path=dataset.folder,
                remedy="raise --maximum-scale",
            )
        self._sampler = MixedSampler(self.items, video_share, sharpness)
        self._people: dict[str, list[Item]] = {}
        for item in self.items:
            self._people.setdefault(item.identity, []).append(item)
        frames: Counter[str] = Counter()
        for item in self.items:
            frames[item.identity] += item.count
        paired = [i for i in self.items if frames[i.identity] > 1]
        self._paired = MixedSampler(paired, video_share, sharpness) if paired else None

    @property
    def has_pairs(self) -> bool:
        """Whether anybody has two frames."""
        return self._paired is not None

    def draw(self, rng: np.random.Generator) -> Frame:
        """Draw a frame."""
        return self._drawn(self._sampler, rng)

    def draw_paired(self, rng: np.random.Generator) -> Frame:
        """Draw a frame of a person with several.

        Raises:
            ValueError: nobody has.
        """
        if self._paired is None:
            raise ValueError("no person has two frames")
        return self._drawn(self._paired, rng)

    def _drawn(self, sampler: MixedSampler, rng: np.random.Generator) -> Frame:
        for _ in range(_ATTEMPTS):
            item = sampler.draw(rng)
            frame = usable_frame(self._usable(item), rng)
            if frame is not None:
                return item, frame
        raise InputError(
            "hardly any usable frame", path=self.dataset.folder, remedy="prepare other data"
        )

    @property
    def usable(self) -> list[Frame]:
        """All frames that can be drawn."""
        return [(item, int(k)) for item in self.items for k in np.flatnonzero(self._usable(item))]

    def somebody_else(self, of: Frame, rng: np.random.Generator) -> Frame:
        """Draw a frame of another person.

        Raises:
            InputError: there is only one.
        """
        if len(self._people) < 2:
            raise InputError(
                "swapping needs two people at least",
                path=self.dataset.folder,
                remedy="prepare more data, or raise --maximum-scale",
            )
        while True:
            drawn = self.draw(rng)
            if drawn[0].identity != of[0].identity:
                return drawn

    def another(self, of: Frame, rng: np.random.Generator) -> Frame:
        """Draw another frame of the same person, from another item if there is one; the same frame
        if it is the only one.
        """
        others = [i for i in self._people[of[0].identity] if i.name != of[0].name] or [of[0]]
        item = others[int(rng.integers(len(others)))]
        usable = self._usable(item).copy()
        if item.name == of[0].name:
            usable[of[1]] = False
        frame = usable_frame(usable, rng)
        return (item, frame) if frame is not None else of


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a dataset are drawn, in words that can be sent to another process."""

    data: Path
    """The dataset."""
    judged: bool
    """Of people that a run is judged on, else of those that it learns from."""
    validation_share: float
    video_share: float
    """Share of frames taken from clips, where mouths speak; in photos they smile."""
    sharpness: float
    maximum_scale: float
    excluded: frozenset[str] = frozenset()
    clip_frames: int = 0

    def sampler(self, dataset: Dataset | None = None) -> FrameSampler:
        """Open the dataset, unless it is open already, and make its sampler."""
        if dataset is None:
            dataset = Dataset(self.data, self.validation_share)
        return FrameSampler(
            dataset,
            self.video_share,
            self.sharpness,
            self.maximum_scale,
            self.excluded,
            dataset.judged() if self.judged else dataset.select("train"),
            self.clip_frames,
        )
