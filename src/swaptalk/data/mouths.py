"""Batches for the picture side of the lip-sync module, from every moving mouth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.frames import Frame
from swaptalk.data.motion import MotionTable, window
from swaptalk.data.store import Dataset, Item
from swaptalk.data.windows import WindowSampler, mel_window
from swaptalk.errors import InputError
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS
from swaptalk.media.mel import MELS_PER_PICTURE

#: Least standard deviation of the mouth's opening (eye distances) of a clip that teaches motion.
MINIMUM_MOTION = 0.004
#: Frames compared to find a reference, and how often the best of them is taken instead of any.
REFERENCE_CANDIDATES, BEST_REFERENCE = 8, 0.7
#: A reference should have the target's pose (degrees) and another opening (eye distances): ten
#: degrees of pose weigh as much as twice .03 of opening.
POSE_SCALE, OPENING_SCALE, OPENING_GAIN = 10.0, 0.03, 0.5


def moving(item: Item, motion: MotionTable) -> bool:
    """Whether a clip's mouth moves enough to teach anything."""
    opening = motion.raw(item)[:, :ABSOLUTE_CHANNELS].mean(axis=1)
    return bool(np.isfinite(opening).sum() > 1 and np.nanstd(opening) >= MINIMUM_MOTION)


@dataclass(frozen=True)
class MouthSample:
    """Frames that should come out, one that shows the mouth, and what moves it."""

    targets: list[Frame]
    reference: Frame
    tokens: NDArray[np.float32]
    """Motion around each target (F, W, D)."""
    mel: NDArray[np.float32]
    """Sound (4 (F + 2 context), 80)."""
    heard: bool
    """Whether that sound belongs to the lips."""


class MouthSampler:
    """Targets, references of the same person, and the motion that leads from one to the other.

    Args:
        dataset: training data.
        usable: which frames (count,) of an item may be drawn.
        motion: its motion tokens.
        frames: consecutive target frames in a sample; they share one reference.
        width: motion tokens around a frame.
        context: frames of sound before and after the targets.
        photo_share: share of samples from photos of one person, where there are any.
        sharpness: preference for sharp pictures.
    """

    def __init__(
        self,
        dataset: Dataset,
        usable: Callable[[Item], NDArray[np.bool_]],
        motion: MotionTable,
        frames: int,
        width: int,
        context: int,
        photo_share: float,
        sharpness: float,
    ) -> None:
        self._dataset, self._usable, self._motion = dataset, usable, motion
        self._frames, self._width, self._context = frames, width, context
        clips = [i for i in dataset.select("train", ("real", "generated")) if moving(i, motion)]
        self._windows = WindowSampler(usable, clips, frames, sharpness)
        people: dict[str, list[Item]] = {}
        for item in dataset.select("train", ("photo",)):
            if np.isfinite(motion.raw(item)).all():
                people.setdefault(item.identity, []).append(item)
        self._people = [items for items in people.values() if len(items) > 1]
        self._photo_share = photo_share if self._people else 0.0
        if not self._windows.items:
            if not self._people:
                raise InputError(
                    "no mouth moves in it",
                    path=dataset.folder,
                    remedy="prepare clips of people talking",
                )
            self._photo_share = 1.0

    @property
    def items(self) -> list[Item]:
        """Everything that can be drawn, which must be embedded first."""
        return [*self._windows.items, *(photo for person in self._people for photo in person)]

    def draw(self, rng: np.random.Generator, count: int) -> list[MouthSample]:
        """Draw ``count`` samples."""
        return [
            self._photos(rng) if rng.random() < self._photo_share else self._clip(rng)
            for _ in range(count)
        ]

    def _clip(self, rng: np.random.Generator) -> MouthSample:
        drawn = self._windows.draw(rng)
        item, start = drawn.item, drawn.start
        tokens = self._motion.tokens(item)
        frames = range(start, start + self._frames)
        return MouthSample(
            [(item, k) for k in frames],
            (item, self._reference(item, frames[self._frames // 2], rng)),
            np.stack([window(tokens, k, self._width) for k in frames]),
            self._mel(item, start),
            item.trusted,
        )

    def _mel(self, item: Item, start: int) -> NDArray[np.float32]:
        length = self._frames + 2 * self._context
        if not item.trusted:
            return np.full((MELS_PER_PICTURE * length, 80), -1, np.float32)
        return mel_window(self._dataset.mel(item), start - self._context, length)

    def _reference(self, item: Item, target: int, rng: np.random.Generator) -> int:
        """A usable frame: of some at random the one most like the target in pose and unlike in
        opening, or any.
        """
        usable = np.flatnonzero(self._usable(item))
        drawn = rng.choice(usable, min(REFERENCE_CANDIDATES, len(usable)), replace=False)
        apart = drawn[np.abs(drawn - target) > 2]
        candidates = apart if len(apart) else drawn
        if rng.random() >= BEST_REFERENCE:
            return int(rng.choice(candidates))
        pose, raw = self._motion.pose(item), self._motion.raw(item)[:, :ABSOLUTE_CHANNELS]
        turn = np.abs(pose[candidates] - pose[target]).sum(axis=1) / POSE_SCALE
        change = np.abs(raw[candidates] - raw[target]).mean(axis=1) / OPENING_SCALE
        return int(candidates[np.argmin(turn - OPENING_GAIN * change)])

    def _photos(self, rng: np.random.Generator) -> MouthSample:
        """Two photos of a person; the motion window stands still."""
        people = self._people[int(rng.integers(len(self._people)))]
        target, reference = (people[int(k)] for k in rng.choice(len(people), 2, replace=False))
        token = self._motion.tokens(target)[0]
        length = MELS_PER_PICTURE * (self._frames + 2 * self._context)
        return MouthSample(
            [(target, 0)] * self._frames,
            (reference, 0),
            np.broadcast_to(token, (self._frames, self._width, len(token))).copy(),
            np.full((length, 80), -1, np.float32),
            False,
        )
