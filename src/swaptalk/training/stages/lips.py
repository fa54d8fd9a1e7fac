"""Stage ``lips``: the lip network learns from a teacher where lips are, in photos and clips of
every kind.

Its answers correct the mesh's mouth wherever a face is measured (`swaptalk.faces.detection.lips`),
so nothing that is trained or judged depends on whose lips they are: labels come from the teacher
alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from swaptalk.data.lip_labels import LipLabels, LipTeacher
from swaptalk.data.repose import mirrored
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError
from swaptalk.faces.geometry.lip_view import (
    REGION_SIDE,
    VIEW_SIZE,
    from_view,
    lip_region,
    lip_view,
    to_view,
)
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import LIPS, MIRROR
from swaptalk.losses.landmarks import landmark_loss, lip_openings, opening_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.lips import LipConfig, LipModel
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.stage import Batch, Evaluation, Stage
from swaptalk.training.stages.swap import announce

#: First and last layers, which AdamW trains.
OUTER_LAYERS = (r"^trunk\.0\.", r"^points\.")
#: How wrong the mesh, which places the view, may be: shift and size in parts of the view's side,
#: turn in degrees.
SHIFT, SCALE, TURN = 0.08, 0.12, 8.0
#: Change of contrast (of 1) and brightness (of 255); share of softened views and their largest blur
#: in view pixels: generated mouths are softer than real ones.
CONTRAST, BRIGHTNESS, SOFT_SHARE, SOFT_SIGMA = 0.35, 40.0, 0.4, 1.3
#: Share of noisy views, and the largest noise (standard deviation, of 255).
NOISE_SHARE, NOISE = 0.3, 8.0
#: Aligned crops end at the chin, frames do not: half of the crops go on for so many pixels below.
CHIN_ROOM = 48
#: Faces judged at an evaluation, and how many of them the sheet shows, in rows of so many.
JUDGED, SHOWN, COLUMNS = 600, 24, 8
#: The sheet shows views enlarged by this factor.
_ENLARGED = 3
#: The view's unit, half of its side, in % of the eye distance.
PERCENT = 100 * REGION_SIDE / 2
#: The mirrored mouth's point i is this one of the mouth.
_MIRROR = np.array([int(np.flatnonzero(MIRROR[point] == LIPS)[0]) for point in LIPS], np.intp)


@dataclass(frozen=True)
class LipWeights:
    """Weight of each loss."""

    points: float = 1.0
    """Distance of the points from the teacher's."""
    opening: float = 1.0
    """Distance of the openings between upper and lower lip from the teacher's."""


@dataclass(frozen=True, kw_only=True)
class LipOptions(LoopOptions):
    """Distil the network that measures lips."""

    out: Path = Path("runs/lips")
    """Folder of the run: checkpoint, log.csv, metrics.csv, samples, TensorBoard. A run found there
    is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    teacher: Path = Path("face_landmarks_detector.tflite")
    """MediaPipe's 478-point landmark network."""
    model: LipConfig = field(default_factory=LipConfig)
    """Shape of the network."""
    weights: LipWeights = field(default_factory=LipWeights)
    """Weights of the losses."""
    batch_size: int = 64
    """Faces in each process's batch."""
    frames: int = 24
    """Frames of each clip that the teacher looks at."""
    clip_share: float = 0.7
    """Share of faces from clips: in photos people smile or are silent."""


class LipStage(Stage):
    """The lip network, on views of mouths and the teacher's points."""

    name = "lips"
    averaged = ("lips",)
    options: LipOptions

    def __init__(self, options: LipOptions) -> None:
        super().__init__(options)
        torch.manual_seed(options.seed)
        self.networks = {"lips": LipModel(options.model)}
        self.frozen = {}
        self._dataset = Dataset(options.data, options.validation_share)
        self._labels = LipLabels(self._dataset, options.frames)
        self._photos = self._dataset.select("train", ("photo",))
        self._clips = self._dataset.select("train", ("real", "generated"))
        self._judged = self._dataset.judged(("real", "generated")) or self._dataset.judged()
        if not self._photos and not self._clips:
            raise InputError("nothing to train on", path=options.data, remedy="prepare more data")

    def prepare(self) -> None:
        """The teacher's answers."""
        wanted = [*self._photos, *self._clips, *self._judged]
        self._labels.build(wanted, LipTeacher(self.options.teacher), announce("asking the teacher"))

    def groups(self) -> dict[str, tuple[str, ...]]:
        """The network alone."""
        return {"lips": ("lips",)}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon for the inside, AdamW for the rest."""
        options = self.options
        return {
            "lips": build_optimizers(
                self.networks["lips"],
                options.optimizer,
                options.learning_rate,
                options.other_rate,
                OUTER_LAYERS,
            )
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        """Views (N, 64, 64, 3) uint8 and the teacher's points (N, 40, 2) in the view's unit."""
        drawn = [self._varied(*self._draw(rng), rng) for _ in range(self.options.batch_size)]
        return {
            "views": torch.from_numpy(np.stack([view for view, _ in drawn])),
            "points": torch.from_numpy(np.stack([points for _, points in drawn])),
        }

    def _draw(self, rng: np.random.Generator) -> tuple[Item, int]:
        """A face that the teacher has seen: an item and its frame."""
        while True:
            from_clips = bool(self._clips) and (
                not self._photos or rng.random() < self.options.clip_share
            )
            items = self._clips if from_clips else self._photos
            item = items[int(rng.integers(len(items)))]
            known = self._labels.known(item)
            if len(known):
                return item, int(known[rng.integers(len(known))])

    def _varied(
        self, item: Item, frame: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The view of a face, placed as a mesh that errs would place it, in another light, perhaps
        mirrored.
        """
        picture, lips = self._dataset.picture(item, frame), self._labels(item, frame)
        mesh = np.asarray(self._dataset.landmarks(item)[frame])
        if rng.random() < 0.5:
            lips = lips[_MIRROR] * np.array([-1, 1], np.float32) + np.array(
                [picture.shape[1] - 1, 0], np.float32
            )
            picture, mesh = mirrored(picture, mesh)
        if rng.random() < 0.5:
            picture = np.pad(picture, ((0, CHIN_ROOM), (0, 0), (0, 0)), mode="edge")
        exact = lip_region(mesh)
        region = CropRegion(
            exact.centre
            + np.float32(exact.side * SHIFT) * rng.uniform(-1, 1, 2).astype(np.float32),
            exact.side * (1 + SCALE * rng.uniform(-1, 1)),
            exact.rotation + np.deg2rad(TURN) * rng.uniform(-1, 1),
        )
        return _weathered(lip_view(picture, region), rng), to_view(lips, region)

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """The teacher's points and openings."""
        made = self.networks["lips"](batch["views"])
        terms = LossTerms(self.options.weights)
        terms.add("points", lambda: landmark_loss(made, batch["points"]))
        terms.add("opening", lambda: opening_loss(made, batch["points"]))
        yield "lips", terms

    def evaluate(self, networks: dict[str, Any], step: int) -> Evaluation:
        """Faces of unseen people: how far from the teacher network and mesh are, in % of the eye
        distance.
        """
        faces = [(item, int(frame)) for item in self._judged for frame in self._labels.known(item)]
        faces = [
            faces[k]
            for k in np.linspace(0, len(faces) - 1, min(JUDGED, len(faces))).round().astype(int)
        ]
        views, real, mesh = [], [], []
        for item, frame in faces:
            points = np.asarray(self._dataset.landmarks(item)[frame])
            region = lip_region(points)
            views.append(lip_view(self._dataset.picture(item, frame), region))
            real.append(to_view(self._labels(item, frame), region))
            mesh.append(to_view(points[LIPS], region))
        made = networks["lips"](torch.from_numpy(np.stack(views)).to(self.device)).cpu()
        right = torch.from_numpy(np.stack(real))
        metrics = {}
        for name, guess in (("network", made), ("mesh", torch.from_numpy(np.stack(mesh)))):
            metrics[f"{name}_points"] = PERCENT * float(landmark_loss(guess, right))
            metrics[f"{name}_opening"] = PERCENT * float(opening_loss(guess, right))
            openings = [lip_openings(lips)[..., 1].mean(dim=1) for lips in (guess, right)]
            metrics[f"{name}_opening_correlation"] = float(
                torch.corrcoef(torch.stack(openings))[0, 1]
            )
        shown = np.linspace(0, len(views) - 1, min(SHOWN, len(views))).round().astype(int)
        return Evaluation(metrics, _sheet([(views[k], real[k], made[k].numpy()) for k in shown]))


def _weathered(view: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A view in other light, sometimes soft, sometimes noisy."""
    changed = view.astype(np.float32)
    if rng.random() < SOFT_SHARE:
        changed = np.asarray(
            cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.3, SOFT_SIGMA)), np.float32
        )
    gain = 1 + CONTRAST * rng.uniform(-1, 1)
    changed = (changed - 127.5) * np.float32(gain) + np.float32(
        127.5 + BRIGHTNESS * rng.uniform(-1, 1)
    )
    if rng.random() < NOISE_SHARE:
        changed += rng.normal(0, rng.uniform(0, NOISE), view.shape).astype(np.float32)
    return np.asarray(np.clip(changed, 0, 255), np.uint8)


def _sheet(
    faces: list[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]],
) -> NDArray[np.uint8]:
    """Views with the teacher's points in green and the network's in red."""
    side = VIEW_SIZE * _ENLARGED
    tiles = []
    for view, real, made in faces:
        tile = np.asarray(cv2.resize(view, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
        whole = CropRegion(np.array([(side - 1) / 2] * 2, np.float32), float(side), 0.0)
        for points, colour in ((real, (0, 230, 0)), (made, (255, 40, 40))):
            for x, y in from_view(points, whole):
                cv2.circle(tile, (round(float(x)), round(float(y))), 1, colour, -1, cv2.LINE_AA)
        tiles.append(tile)
    while len(tiles) % COLUMNS:
        tiles.append(np.zeros((side, side, 3), np.uint8))
    rows = [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)
