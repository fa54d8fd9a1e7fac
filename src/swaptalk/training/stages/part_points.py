"""Base of the stages ``lips`` and ``eyes``: a landmark network learns from a teacher where a part
of the face is, in photos and clips of every kind.

Labels come from the teacher alone, so nothing that is trained or judged with the network depends on
whose face it is.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from swaptalk.data.repose import mirrored
from swaptalk.data.store import Dataset, Item
from swaptalk.data.teacher_labels import LandmarkTeacher, TeacherLabels
from swaptalk.errors import InputError
from swaptalk.faces.geometry.part_view import VIEW_SIZE, from_view, part_view, to_view
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.training.announce import announce
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.stage import Batch, Evaluation, Stage

#: First and last layers, which AdamW trains.
OUTER_LAYERS = (r"^trunk\.0\.", r"^points\.")
#: How wrong the mesh, which places the view, may be: shift and size in parts of the view's side,
#: turn in degrees.
SHIFT, SCALE, TURN = 0.08, 0.12, 8.0
#: Change of contrast (of 1) and brightness (of 255); share of softened views and their largest blur
#: in view pixels: generated faces are softer than real ones.
CONTRAST, BRIGHTNESS, SOFT_SHARE, SOFT_SIGMA = 0.35, 40.0, 0.4, 1.3
#: Share of noisy views, and the largest noise (standard deviation, of 255).
NOISE_SHARE, NOISE = 0.3, 8.0
#: Aligned crops end at the chin, frames do not: half of the crops go on for so many pixels below.
CHIN_ROOM = 48
#: Faces judged at an evaluation, and how many of them the sheet shows, in rows of so many.
JUDGED, SHOWN, COLUMNS = 600, 24, 8
#: The sheet shows views enlarged by this factor.
_ENLARGED = 3


@dataclass(frozen=True, kw_only=True)
class PartPointOptions(LoopOptions):
    """Options that both stages share."""

    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    teacher: Path = Path("face_landmarks_detector.tflite")
    """MediaPipe's 478-point landmark network."""
    batch_size: int = 64
    """Faces in each process's batch."""
    frames: int = 24
    """Frames of each clip that the teacher looks at."""
    clip_share: float = 0.7
    """Share of faces from clips: in photos people smile or are silent, and their eyes are open."""


@dataclass(frozen=True)
class _Face:
    """A face with the teacher's points: picture (256, 256, 3), mesh (468, 3), points (P, 2)."""

    picture: NDArray[np.uint8]
    mesh: NDArray[np.float32]
    points: NDArray[np.float32]


class PartPointStage(Stage):
    """A landmark network on views of one part of the face, and the teacher's points.

    Args:
        options: of the stage.
        network: that learns.
        points: the teacher's points of the part, in the network's order.
        mirror: place that each point takes in a mirrored face.
    """

    part: ClassVar[str]
    options: PartPointOptions

    def __init__(
        self,
        options: PartPointOptions,
        network: nn.Module,
        points: NDArray[np.intp],
        mirror: NDArray[np.intp],
    ) -> None:
        super().__init__(options)
        self.networks = {self.part: network}
        self.frozen = {}
        self._mirror = mirror
        self._dataset = Dataset(options.data, options.validation_share)
        self._labels = TeacherLabels(self._dataset, self.part, points, options.frames)
        self._photos = self._dataset.select("train", ("photo",))
        self._clips = self._dataset.select("train", ("real", "generated"))
        self._judged = self._dataset.judged(("real", "generated")) or self._dataset.judged()
        if not self._photos and not self._clips:
            raise InputError("nothing to train on", path=options.data, remedy="prepare more data")

    @abstractmethod
    def region(self, mesh: NDArray[np.float32]) -> CropRegion:
        """The square that the network sees of a mesh (468, 3)."""

    @abstractmethod
    def seen(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Those of the labelled points that the view shows."""

    @abstractmethod
    def metrics(
        self, made: torch.Tensor, real: torch.Tensor, mesh: torch.Tensor
    ) -> dict[str, float]:
        """Distances of the network's points, and of the mesh's, from the teacher's (N, P, 2)."""

    @abstractmethod
    def mesh_points(self, mesh: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the mesh (468, 3) alone says of the points (Q, 2)."""

    def prepare(self) -> None:
        """The teacher's answers."""
        wanted = [*self._photos, *self._clips, *self._judged]
        teacher = LandmarkTeacher(self.options.teacher)
        self._labels.build(wanted, teacher, announce("asking the teacher"))

    def groups(self) -> dict[str, tuple[str, ...]]:
        """One group: the network."""
        return {self.part: (self.part,)}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon for the inside, AdamW for the rest."""
        options = self.options
        return {
            self.part: build_optimizers(
                self.networks[self.part],
                options.optimizer,
                options.learning_rate,
                options.other_rate,
                OUTER_LAYERS,
            )
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        """Views (N, 64, 64, 3) uint8 and the teacher's points (N, P, 2) in the view's unit."""
        drawn = [self._varied(self._draw(rng), rng) for _ in range(self.options.batch_size)]
        return {
            "views": torch.from_numpy(np.stack([view for view, _ in drawn])),
            "points": torch.from_numpy(np.stack([points for _, points in drawn])),
        }

    def _face(self, item: Item, frame: int) -> _Face:
        mesh = np.array(self._dataset.landmarks(item)[frame], np.float32)
        return _Face(self._dataset.picture(item, frame), mesh, self._labels(item, frame))

    def _draw(self, rng: np.random.Generator) -> _Face:
        """A face that the teacher has seen."""
        while True:
            from_clips = bool(self._clips) and (
                not self._photos or rng.random() < self.options.clip_share
            )
            items = self._clips if from_clips else self._photos
            item = items[int(rng.integers(len(items)))]
            known = self._labels.known(item)
            if len(known):
                return self._face(item, int(known[rng.integers(len(known))]))

    def _varied(
        self, face: _Face, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The view of a face, placed as a mesh that errs would place it, in another light, perhaps
        mirrored.
        """
        if rng.random() < 0.5:
            face = self.mirrored(face)
        picture = face.picture
        if rng.random() < 0.5:
            picture = np.pad(picture, ((0, CHIN_ROOM), (0, 0), (0, 0)), mode="edge")
        exact = self.region(face.mesh)
        region = CropRegion(
            exact.centre
            + np.float32(exact.side * SHIFT) * rng.uniform(-1, 1, 2).astype(np.float32),
            exact.side * (1 + SCALE * rng.uniform(-1, 1)),
            exact.rotation + np.deg2rad(TURN) * rng.uniform(-1, 1),
        )
        return _weathered(part_view(picture, region), rng), to_view(self.seen(face.points), region)

    def mirrored(self, face: _Face) -> _Face:
        """The face seen in a mirror."""
        points = face.points[self._mirror] * np.array([-1, 1], np.float32)
        points[:, 0] += face.picture.shape[1] - 1
        return _Face(*mirrored(face.picture, face.mesh), points)

    def evaluate(self, networks: dict[str, Any], step: int) -> Evaluation:
        """Faces of unseen people: how far from the teacher network and mesh are, in % of the eye
        distance.
        """
        faces = [(item, int(frame)) for item in self._judged for frame in self._labels.known(item)]
        chosen = np.linspace(0, len(faces) - 1, min(JUDGED, len(faces))).round().astype(int)
        views, real, mesh = [], [], []
        for k in chosen:
            face = self._face(*faces[k])
            region = self.region(face.mesh)
            views.append(part_view(face.picture, region))
            real.append(to_view(self.seen(face.points), region))
            mesh.append(to_view(self.mesh_points(face.mesh), region))
        network = networks[self.part]
        made = network(torch.from_numpy(np.stack(views)).to(self.device)).cpu()
        stacked = (torch.from_numpy(np.stack(points)) for points in (real, mesh))
        metrics = self.metrics(made, *stacked)
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
