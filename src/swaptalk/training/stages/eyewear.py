"""Stage ``eyewear``: the network that finds the rims of glasses learns from faces on which glasses
were drawn.

Pictures come as they are or with a pair that is known exactly, because it was drawn
(`swaptalk.data.glasses`). Pictures in which a bridge is seen are left out: nobody has said where
the rims of their glasses are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.data.degrade import degrade, relight
from swaptalk.data.glasses import add_glasses
from swaptalk.data.repose import laid_differently
from swaptalk.data.store import Item
from swaptalk.faces.editing.eyewear import eyewear_strength
from swaptalk.faces.editing.eyewear_network import GRID, eyewear_view
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
#: Share of pictures that are made softer, noisier or more compressed.
DEGRADED_SHARE = 0.5
#: A cell is covered where a rim's opacity exceeds this at one of its pixels.
LEAST_OPACITY = 0.3
#: Faces judged at an evaluation, each with and without glasses, and how many of them the sheet
#: shows, in rows of so many.
JUDGED, SHOWN, COLUMNS = 300, 24, 4
#: An alarm on a face without glasses is false if more than so many cells are marked.
FALSE_ALARM = 60


@dataclass(frozen=True, kw_only=True)
class EyewearOptions(OcclusionOptions):
    """Train the network that finds the rims of glasses."""

    out: Path = Path("runs/eyewear")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    model: OcclusionConfig = field(default_factory=lambda: OcclusionConfig((12, 20, 32, 48), 2))
    """Shape of the network."""
    free_share: float = 0.35
    """Share of faces without glasses."""


class EyewearStage(OcclusionStage):
    """The eyewear network, on faces with glasses drawn on them."""

    name = "eyewear"
    averaged = ("eyewear",)
    options: EyewearOptions

    def batch(self, rng: np.random.Generator) -> Batch:
        """Views (N, 128, 256, 3) uint8, where rims are and weights (N, 64, 128) of their cells."""
        samples: list[Sample] = []
        while len(samples) < self.options.batch_size:
            found = self._bare(*self._draw(rng), rng)
            if found is not None:
                samples.append(_sample(*found, rng.random() >= self.options.free_share, rng))
        return as_batch(samples)

    def _bare(
        self, item: Item, frame: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
        """Crop and mesh of a face without glasses, lying a little differently; None where a bridge
        is seen.
        """
        picture = self._dataset.picture(item, frame)
        mesh = np.asarray(self._dataset.landmarks(item)[frame], np.float32)
        if eyewear_strength(picture, mesh) > LEAST_BRIDGE:
            return None
        return laid_differently(picture, mesh, rng, TURN, SHIFT, SCALE)

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
        shown = [(worn[k][0], seen[k]) for k in range(min(SHOWN, len(worn)))]
        return Evaluation(metrics, _sheet(shown))


def _sample(
    picture: NDArray[np.uint8], mesh: NDArray[np.float32], worn: bool, rng: np.random.Generator
) -> Sample:
    """View, 1 where rims are, and weights; without glasses nothing is drawn."""
    opacity = np.zeros(picture.shape[:2], np.float32)
    if worn:
        picture, opacity = add_glasses(picture, mesh, rng)
    picture = relight(picture, rng)
    if rng.random() < DEGRADED_SHARE:
        picture = degrade(picture, rng)
    rows, columns = GRID
    drawn = (eyewear_view(opacity) > LEAST_OPACITY).reshape(rows, 2, columns, 2)
    covered = np.asarray(drawn.any(axis=(1, 3)), np.float32)
    return eyewear_view(picture), covered, np.ones(GRID, np.float32)


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
