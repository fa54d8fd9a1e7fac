"""Stage ``eyewear``: the network that finds the rims of glasses learns from faces on which glasses
were drawn.

Pictures come as they are or with a pair that is known exactly, because it was drawn
(`swaptalk.data.glasses`). Of pictures in which a bridge may be seen only those take part of which a
list says, by eye, whether the person wears glasses: frowns as faces without, and real glasses
where the network that comes with the package sees them. Where it does not, only places that look
like skin (`swaptalk.faces.editing.face_texture`) are known not to be of a rim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.data.degrade import degrade, relight
from swaptalk.data.glasses import add_glasses
from swaptalk.data.real_glasses import known_rims, read_glasses_labels
from swaptalk.data.repose import laid_differently
from swaptalk.data.store import Item
from swaptalk.faces.editing.eyewear import eyewear_strength
from swaptalk.faces.editing.eyewear_network import (
    GRID,
    EyewearNetwork,
    eyewear_rows,
    eyewear_view,
)
from swaptalk.models.occlusion import OcclusionConfig
from swaptalk.training.stage import Batch, Evaluation
from swaptalk.training.stages.occlusion import (
    OcclusionOptions,
    OcclusionStage,
    Sample,
    as_batch,
)

#: Pictures with a stronger edge across the bridge of the nose are left out; of 1,500 photographs
#: about a tenth, among them nearly all with glasses.
LEAST_BRIDGE = 0.045
#: How the crop may lie differently: shift and size in parts of its side, turn in degrees.
SHIFT, SCALE, TURN = 0.02, 0.05, 5.0
#: Share of pictures that are made softer, noisier or more compressed, and of those that are as soft
#: as faces of so many pixels.
DEGRADED_SHARE, SMALL_SHARE, SMALL_SIDES = 0.5, 0.35, (70, 180)
#: A cell is covered where a rim's opacity exceeds this at one of its pixels.
LEAST_OPACITY = 0.3
#: Faces judged at an evaluation, each with and without glasses, and how many of them the sheet
#: shows, in rows of so many.
JUDGED, SHOWN, COLUMNS = 300, 24, 4
#: An alarm on a face without glasses is false if more than so many cells are marked.
FALSE_ALARM = 60


#: An item and the number of its picture.
Face = tuple[Item, int]


@dataclass(frozen=True, kw_only=True)
class EyewearOptions(OcclusionOptions):
    """Train the network that finds the rims of glasses."""

    out: Path = Path("runs/eyewear")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    model: OcclusionConfig = field(default_factory=lambda: OcclusionConfig((12, 20, 32, 48), 2))
    """Shape of the network."""
    free_share: float = 0.35
    """Share of faces without glasses, of those on which they may be drawn."""
    labels: Path | None = None
    """CSV file (name, picture, worn) that says of pictures whether glasses are worn: 1 or 0."""
    real_share: float = 0.25
    """Share of listed faces with glasses."""
    hard_share: float = 0.15
    """Share of listed faces without."""


class EyewearStage(OcclusionStage):
    """The eyewear network, on faces with glasses drawn on them."""

    name = "eyewear"
    averaged = ("eyewear",)
    options: EyewearOptions

    def __init__(self, options: EyewearOptions) -> None:
        super().__init__(options)
        self._labels = read_glasses_labels(options.labels) if options.labels else {}
        listed = self._listed([*self._photos, *self._clips])
        self._real = [face for face, worn in listed if worn]
        self._hard = [face for face, worn in listed if not worn]

    def _listed(self, items: Sequence[Item]) -> list[tuple[Face, bool]]:
        """Faces of which the list says whether glasses are worn."""
        faces = [(item, frame) for item in items for frame in range(item.count)]
        labels = [self._labels.get((item.name, frame)) for item, frame in faces]
        return [(face, worn) for face, worn in zip(faces, labels, strict=True) if worn is not None]

    @cached_property
    def _teacher(self) -> EyewearNetwork:
        return EyewearNetwork()

    def batch(self, rng: np.random.Generator) -> Batch:
        """Views (N, 128, 256, 3) uint8, where rims are and weights (N, 64, 128) of their cells."""
        samples: list[Sample] = []
        while len(samples) < self.options.batch_size:
            kind = rng.random()
            if self._real and kind < self.options.real_share:
                samples.append(self._real_sample(*_one_of(self._real, rng), rng))
            elif self._hard and kind > 1 - self.options.hard_share:
                face = self._face(*_one_of(self._hard, rng))
                samples.append(_sample(*_laid(*face, rng), False, rng))
            else:
                found = self._bare(*self._draw(rng), rng)
                if found is not None:
                    samples.append(_sample(*found, rng.random() >= self.options.free_share, rng))
        return as_batch(samples)

    def _real_sample(self, item: Item, frame: int, rng: np.random.Generator) -> Sample:
        """View, where rims are, and weights of a face with real glasses."""
        picture, mesh = _laid(*self._face(item, frame), rng)
        known = known_rims(picture, mesh, self._teacher)
        rims, weights = (_cells(eyewear_rows(one)) for one in known)
        return eyewear_view(_seen_anyhow(picture, rng)), rims, weights

    def _bare(
        self, item: Item, frame: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
        """Crop and mesh of a face without glasses, lying a little differently; None where it is
        listed or a bridge is seen.
        """
        if (item.name, frame) in self._labels:
            return None
        face = self._face(item, frame)
        return None if eyewear_strength(*face) > LEAST_BRIDGE else _laid(*face, rng)

    def evaluate(self, networks: dict[str, Any], step: int) -> Evaluation:
        """Faces of unseen people with and without glasses: overlap of found and drawn rims in % of
        the union, and false alarms in % of the faces without.
        """
        rng = np.random.default_rng(self.options.seed)
        worn, free = [], []
        chosen = np.linspace(0, len(self._judged) - 1, min(JUDGED, len(self._judged)))
        for k in chosen.round().astype(int):
            item = self._judged[k]
            known = np.flatnonzero(self._dataset.usable(item))
            found = self._bare(item, int(known[len(known) // 2]), rng) if len(known) else None
            if found is not None:
                worn.append(_sample(*found, True, rng))
                free.append(_sample(*found, False, rng))
        seen, alarms = (self._found(networks[self.name], samples) for samples in (worn, free))
        rims = [sample[1] > 0.5 for sample in worn]
        shares = [(a & b).sum() / max(1, (a | b).sum()) for a, b in zip(seen, rims, strict=True)]
        metrics = {
            "overlap": 100 * float(np.mean(shares)),
            "false_alarms": 100 * float(np.mean([a.sum() > FALSE_ALARM for a in alarms])),
        }
        metrics.update(self._on_listed(networks[self.name]))
        shown = [(worn[k][0], seen[k]) for k in range(min(SHOWN, len(worn)))]
        return Evaluation(metrics, _sheet(shown))

    def _on_listed(self, network: Any) -> dict[str, float]:
        """In % of listed faces of unseen people: with glasses, and found, and without, and
        marked.
        """
        metrics = {}
        for worn, name in ((1, "real_found"), (0, "hard_alarms")):
            pairs = [face for face, label in self._listed(self._judged) if label == worn]
            if pairs:
                crops = [self._dataset.picture(*pair) for pair in pairs]
                nothing = np.zeros(GRID, np.float32)
                seen = self._found(network, [(eyewear_view(c), nothing, nothing) for c in crops])
                metrics[name] = 100 * float(np.mean([a.sum() > FALSE_ALARM for a in seen]))
        return metrics


def _one_of(faces: list[Face], rng: np.random.Generator) -> Face:
    return faces[int(rng.integers(len(faces)))]


def _laid(
    picture: NDArray[np.uint8], mesh: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Crop and mesh of a face, lying a little differently."""
    return laid_differently(picture, mesh, rng, TURN, SHIFT, SCALE)


def _seen_anyhow(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A crop in other light, sometimes made worse, or much softer, as small faces are."""
    picture = relight(picture, rng)
    if rng.random() < SMALL_SHARE:
        side = int(rng.integers(*SMALL_SIDES))
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC))
    return degrade(picture, rng) if rng.random() < DEGRADED_SHARE else picture


def _cells(places: NDArray[np.floating]) -> NDArray[np.float32]:
    """1 for cells (64, 128) of which a pixel is above one half in places (128, 256)."""
    rows, columns = GRID
    return np.asarray((places > 0.5).reshape(rows, 2, columns, 2).any(axis=(1, 3)), np.float32)


def _sample(
    picture: NDArray[np.uint8], mesh: NDArray[np.float32], worn: bool, rng: np.random.Generator
) -> Sample:
    """View, 1 where rims are, and weights; without glasses nothing is drawn."""
    opacity = np.zeros(picture.shape[:2], np.float32)
    if worn:
        picture, opacity = add_glasses(picture, mesh, rng)
    covered = _cells(eyewear_rows((opacity > LEAST_OPACITY).astype(np.float32)))
    return eyewear_view(_seen_anyhow(picture, rng)), covered, np.ones(GRID, np.float32)


def _sheet(faces: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]) -> NDArray[np.uint8]:
    """Views beside the same views with what was found in green."""
    tiles = []
    for view, found in faces:
        marked = view.copy()
        where = cv2.resize(found.astype(np.uint8), view.shape[1::-1]) > 0
        marked[where] = (0, 255, 0)
        tiles.append(np.concatenate([view, marked], axis=1))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)
