"""Motion tokens of a dataset: mouths measured once by the lip network, and the scale of the tokens.

A dataset's stored meshes may be older than the lip network, so lips are measured again in the
pictures; measurements are kept under the network's fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.store import Dataset, Item
from swaptalk.data.unit_arrays import UnitArrays
from swaptalk.errors import InputError
from swaptalk.faces.detection.lips import NETWORK, LipNetwork
from swaptalk.faces.geometry.mouth_motion import (
    ABSOLUTE_CHANNELS,
    MOTION_CHANNELS,
    MotionStatistics,
    measure_motion,
    normalize_motion,
)
from swaptalk.faces.geometry.pose import estimate_pose
from swaptalk.faces.geometry.smooth import smooth_points
from swaptalk.inference.exact import network_fingerprint

#: Silent frames that are enough to know a resting mouth.
_ENOUGH_SILENCE = 50
#: Otherwise: this share of frames, those with the smallest opening, stands for it.
_RESTING_SHARE = 0.1
#: Smallest spread of a channel, in eye distances.
_LEAST_SPREAD = 1e-3


class MotionTable:
    """Raw measurements and tokens of every item.

    Args:
        dataset: its pictures and meshes. Measurements are kept in ``DATASET/motion-<fingerprint>``.

    Attributes:
        fingerprint: of the lip network that measures.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.fingerprint = network_fingerprint(NETWORK)
        self._measured = UnitArrays(
            dataset.folder / f"motion-{self.fingerprint}", "the measured mouths"
        )
        self._rows = lru_cache(None)(self._load_rows)
        self.raw = lru_cache(None)(self._raw)
        self.tokens = lru_cache(None)(self._tokens)
        self._person = lru_cache(None)(self._person_mean)
        self._photos: dict[str, list[Item]] = {}
        for item in dataset.items:
            if item.kind == "photo":
                self._photos.setdefault(item.identity, []).append(item)
        self.statistics: MotionStatistics | None = None

    def build(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Measure what is not measured yet, and the training set's statistics."""
        by_unit: dict[str, list[Item]] = {}
        for item in self._dataset.items:
            by_unit.setdefault(item.unit, []).append(item)
        lips = LipNetwork()
        self._measured.build(
            by_unit, lambda unit: self._measure(unit, by_unit[unit], lips), progress
        )
        self.statistics = self._compute_statistics()

    def _measure(self, unit: str, items: list[Item], lips: LipNetwork) -> NDArray[np.float32]:
        """(n, D + 2) measurements of a unit, then yaw and pitch in degrees; NaN where the face is
        not usable.
        """
        measured = np.full(
            (len(self._dataset.unit(unit).usable), MOTION_CHANNELS + 2), np.nan, np.float32
        )
        for item in items:
            usable = self._dataset.usable(item)
            meshes = np.array(self._dataset.landmarks(item))
            for frame in np.flatnonzero(usable):
                meshes[frame] = lips(self._dataset.picture(item, int(frame)), meshes[frame])
            if item.count > 1:  # the mesh trembles by about half a pixel from frame to frame
                meshes = smooth_points(meshes, usable)
            for frame in np.flatnonzero(usable):
                pose = estimate_pose(meshes[frame])
                measured[item.first + frame] = [
                    *measure_motion(meshes[frame]),
                    pose.yaw,
                    pose.pitch,
                ]
        return measured

    def _raw(self, item: Item) -> NDArray[np.float32]:
        """Measurements (count, D) of an item; NaN where the face is not usable."""
        return self._rows(item)[:, :MOTION_CHANNELS]

    def pose(self, item: Item) -> NDArray[np.float32]:
        """Yaw and pitch (count, 2) in degrees; NaN where the face is not usable."""
        return self._rows(item)[:, MOTION_CHANNELS:]

    def _load_rows(self, item: Item) -> NDArray[np.float32]:
        return np.array(self._measured(item.unit)[item.first : item.first + item.count])

    def _person_mean(self, item: Item) -> NDArray[np.float32]:
        """The speaker's mean measurement: over the clip, or over all photos of the person."""
        items = [item] if item.kind != "photo" else self._photos[item.identity]
        return np.asarray(
            np.nanmean(np.concatenate([self.raw(i) for i in items]), axis=0), np.float32
        )

    def _tokens(self, item: Item) -> NDArray[np.float32]:
        """Tokens (count, D) of an item; zeros where the face is not usable."""
        assert self.statistics is not None
        tokens = normalize_motion(self.raw(item), self._person(item), self.statistics)
        return np.nan_to_num(tokens)

    def _compute_statistics(self) -> MotionStatistics:
        """Mean, spread and silence over the training clips (over all items where there is no
        clip).
        """
        items = [
            i for i in self._dataset.select("train") if i.kind != "photo"
        ] or self._dataset.select("train")
        items = [i for i in items if np.isfinite(self.raw(i)).any()]
        if not items:
            raise InputError(
                "no mouth to measure", path=self._dataset.folder, remedy="prepare more data"
            )
        means = np.stack([self._person(i) for i in items])
        mean = means.mean(axis=0).astype(np.float32)
        residuals, silent = [], []
        for item, person in zip(items, means, strict=True):
            centre = person.copy()
            centre[:ABSOLUTE_CHANNELS] = mean[:ABSOLUTE_CHANNELS]
            residual = self.raw(item) - centre
            known = np.isfinite(residual).all(axis=1)
            residuals.append(residual[known])
            rests = (
                self._dataset.speech(item)[known] == 0
                if item.sound
                else np.zeros(int(known.sum()), bool)
            )
            silent.append(residual[known][rests])
        every = np.concatenate(residuals)
        spread = np.maximum(every.std(axis=0), _LEAST_SPREAD).astype(np.float32)
        resting = np.concatenate(silent)
        if len(resting) < _ENOUGH_SILENCE:
            opening = every[:, :ABSOLUTE_CHANNELS].mean(axis=1)
            resting = every[opening <= np.quantile(opening, _RESTING_SHARE)]
        return MotionStatistics(
            mean, spread, (np.median(resting, axis=0) / spread).astype(np.float32)
        )


def window(tokens: NDArray[np.float32], centre: int, width: int) -> NDArray[np.float32]:
    """``width`` tokens around a frame (width, D); beyond the ends the outermost token is
    repeated.
    """
    index = np.clip(np.arange(centre - width // 2, centre + width // 2 + 1), 0, len(tokens) - 1)
    return tokens[index]
