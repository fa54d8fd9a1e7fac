"""Stage ``occlusion``: the network that finds hands, microphones and other things in front of faces
learns from faces with such things drawn on them.

Pictures come as they are or with an occluder that is known exactly, because it was drawn
(`swaptalk.data.occluders`); beards, glasses, open mouths and hard shadows are in the photos and
clips themselves, as what is not to be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from swaptalk.data.occluders import add_occluder
from swaptalk.data.repose import mirrored
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError
from swaptalk.faces.editing.mask import face_mask
from swaptalk.faces.editing.occlusion import GRID_SIZE, VIEW_SIZE
from swaptalk.losses.occlusion import cell_loss, overlap_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.occlusion import OcclusionConfig, OcclusionModel
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.stage import Batch, Evaluation, Stage

#: First and last layers, which AdamW trains.
OUTER_LAYERS = (r"^stem\.0\.", r"^logit\.")
#: How the crop may lie differently: shift and size in parts of its side, turn in degrees.
SHIFT, SCALE, TURN = 0.04, 0.08, 6.0
#: What is beside the face counts less: things there are drawn, but also photographed.
OUTSIDE_WEIGHT = 0.15
#: Contrast (of 1), brightness (of 255) and tint (of 1); share of grey, soft, noisy and compressed
#: views, largest blur in view pixels, noise of 255, and least JPEG quality.
CONTRAST, BRIGHTNESS, TINT = 0.4, 45.0, 0.12
GREY_SHARE, SOFT_SHARE, NOISE_SHARE, JPEG_SHARE = 0.08, 0.3, 0.3, 0.4
SOFT_SIGMA, NOISE, JPEG_QUALITY = 1.4, 8.0, 25
#: Faces judged at an evaluation, each with and without an occluder, and how many of them the sheet
#: shows, in rows of so many.
JUDGED, SHOWN, COLUMNS = 400, 24, 8
#: An alarm on a free face is false if more than this share of the face is marked.
FALSE_ALARM = 0.01


@dataclass(frozen=True)
class OcclusionWeights:
    """Weight of each loss."""

    cells: float = 1.0
    """Cross-entropy of every cell."""
    overlap: float = 0.5
    """One minus the Dice coefficient of each face."""


@dataclass(frozen=True, kw_only=True)
class OcclusionOptions(LoopOptions):
    """Train the network that finds what lies in front of a face."""

    out: Path = Path("runs/occlusion")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    photo_sets: tuple[str, ...] = ()
    """Photos are taken only from sets whose name begins with one of these; none: from all."""
    model: OcclusionConfig = field(default_factory=OcclusionConfig)
    """Shape of the network."""
    weights: OcclusionWeights = field(default_factory=OcclusionWeights)
    """Weights of the losses."""
    batch_size: int = 32
    """Faces in each process's batch."""
    clip_share: float = 0.5
    """Share of faces from clips, where there are some."""
    free_share: float = 0.4
    """Share of faces without an occluder."""


class OcclusionStage(Stage):
    """The occlusion network, on faces with things drawn in front of them."""

    name = "occlusion"
    averaged = ("occlusion",)
    options: OcclusionOptions

    def __init__(self, options: OcclusionOptions) -> None:
        super().__init__(options)
        torch.manual_seed(options.seed)
        self.networks = {self.name: OcclusionModel(options.model)}
        self.frozen = {}
        self._dataset = Dataset(options.data, options.validation_share)
        self._photos = self._wanted(self._dataset.select("train", ("photo",)))
        self._clips = self._dataset.select("train", ("real",))
        self._judged = self._wanted(self._dataset.judged(("photo", "real")))
        if not self._photos and not self._clips:
            raise InputError("nothing to train on", path=options.data, remedy="prepare more data")

    def _wanted(self, items: Sequence[Item]) -> list[Item]:
        """Clips, and the photos of the sets that were asked for."""
        sets = self.options.photo_sets
        return [i for i in items if i.kind != "photo" or not sets or i.name.startswith(sets)]

    def groups(self) -> dict[str, tuple[str, ...]]:
        """One group: the network."""
        return {self.name: (self.name,)}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon for the inside, AdamW for the rest."""
        options = self.options
        return {
            self.name: build_optimizers(
                self.networks[self.name],
                options.optimizer,
                options.learning_rate,
                options.other_rate,
                OUTER_LAYERS,
            )
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        """Views (N, 128, 128, 3) uint8, covered shares and weights (N, 64, 64) of their cells."""
        faces = [self._varied(*self._draw(rng), rng) for _ in range(self.options.batch_size)]
        pictures = [view for view, _ in faces]
        samples = []
        for view, mesh in faces:
            others = tuple(pictures[int(k)] for k in rng.integers(len(pictures), size=2))
            free = rng.random() < self.options.free_share
            samples.append(self._sample(view, mesh, None if free else others, rng))
        return as_batch(samples)

    def _draw(self, rng: np.random.Generator) -> tuple[Item, int]:
        """A usable face: an item and its frame."""
        while True:
            from_clips = bool(self._clips) and (
                not self._photos or rng.random() < self.options.clip_share
            )
            items = self._clips if from_clips else self._photos
            item = items[int(rng.integers(len(items)))]
            known = np.flatnonzero(self._dataset.usable(item))
            if len(known):
                return item, int(known[rng.integers(len(known))])

    def _face(self, item: Item, frame: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Crop and mesh of a face, as the dataset has them."""
        mesh = np.asarray(self._dataset.landmarks(item)[frame], np.float32)
        return self._dataset.picture(item, frame), mesh

    def _varied(
        self, item: Item, frame: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """View and mesh of a face, aligned as well as run time aligns it, perhaps mirrored."""
        picture, mesh = self._face(item, frame)
        if rng.random() < 0.5:
            picture, mesh = mirrored(picture, mesh)
        middle, scale = (len(picture) - 1) / 2, VIEW_SIZE / len(picture)
        turn, scale = TURN * rng.uniform(-1, 1), scale * (1 + SCALE * rng.uniform(-1, 1))
        matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), turn, scale), np.float64)
        matrix[:, 2] += (VIEW_SIZE - 1) / 2 - middle + SHIFT * VIEW_SIZE * rng.uniform(-1, 1, 2)
        # Averaged first, as run time does: else fine detail would alias.
        soft = cv2.GaussianBlur(picture, (0, 0), 0.8)
        view = cv2.warpAffine(
            soft, matrix, (VIEW_SIZE, VIEW_SIZE), borderMode=cv2.BORDER_REFLECT_101
        )
        points = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return np.asarray(view, np.uint8), np.asarray(points, np.float32)

    def _sample(
        self,
        view: NDArray[np.uint8],
        mesh: NDArray[np.float32],
        textures: Textures,
        rng: np.random.Generator,
    ) -> Sample:
        """View in other light, covered shares and weights; without textures nothing is drawn."""
        alpha = np.zeros(view.shape[:2], np.float32)
        if textures is not None:
            view, alpha = add_occluder(view, mesh, textures, rng)
        size = (GRID_SIZE, GRID_SIZE)
        covered = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
        crop = (mesh + 0.5) * 2 - 0.5  # the mask is drawn in the crop's pixels
        inside = cv2.resize(face_mask(crop), size, interpolation=cv2.INTER_AREA) > 0.02
        weight = np.where(inside, 1.0, OUTSIDE_WEIGHT).astype(np.float32)
        return _weathered(view, rng), np.clip(covered, 0, 1), weight

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Weighted cross entropy between found and drawn occluders."""
        logits = self.networks[self.name](batch["views"])
        terms = LossTerms(self.options.weights)
        terms.add("cells", lambda: cell_loss(logits, batch["covered"], batch["weight"]))
        terms.add("overlap", lambda: overlap_loss(logits, batch["covered"], batch["weight"]))
        yield self.name, terms

    def evaluate(self, networks: dict[str, Any], step: int) -> Evaluation:
        """Faces of unseen people with and without an occluder: overlap in % of the union, and false
        alarms in % of the free faces, both on the face alone.
        """
        covered, free = self._judged_samples(JUDGED)
        found = self._found(networks["occlusion"], covered)
        alarms = self._found(networks["occlusion"], free)
        overlaps = [_overlap(f, s[1] > 0.5, s[2] >= 1) for f, s in zip(found, covered, strict=True)]
        shares = [float(f[s[2] >= 1].mean()) for f, s in zip(alarms, free, strict=True)]
        metrics = {
            "overlap": 100 * float(np.mean([o for o in overlaps if o is not None])),
            "false_alarms": 100 * float(np.mean(np.array(shares) > FALSE_ALARM)),
        }
        shown = np.linspace(0, len(covered) - 1, min(SHOWN, len(covered))).round().astype(int)
        return Evaluation(metrics, _sheet([(covered[k][0], found[k]) for k in shown]))

    def _judged_samples(self, most: int) -> tuple[list[Sample], list[Sample]]:
        """At most so many faces of unseen people, with something in front and without."""
        rng = np.random.default_rng(self.options.seed)
        chosen = np.linspace(0, len(self._judged) - 1, min(most, len(self._judged)))
        faces = []
        for k in chosen.round().astype(int):
            known = np.flatnonzero(self._dataset.usable(self._judged[k]))
            if len(known):
                faces.append(self._varied(self._judged[k], int(known[len(known) // 2]), rng))
        pictures = [view for view, _ in faces]
        covered, free = [], []
        for view, mesh in faces:
            others = tuple(pictures[int(k)] for k in rng.integers(len(pictures), size=2))
            covered.append(self._sample(view, mesh, others, rng))
            free.append(self._sample(view, mesh, None, rng))
        return covered, free

    def _found(self, network: Any, samples: Sequence[Sample]) -> list[NDArray[np.bool_]]:
        views = torch.from_numpy(np.stack([view for view, _, _ in samples])).to(self.device)
        parts = [network(part).cpu().numpy() > 0 for part in torch.split(views, 64)]
        return list(np.concatenate(parts))


#: A view, the covered shares of its cells, and their weights.
Sample = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]
#: Other pictures, from which things are cut; None draws nothing.
Textures = tuple[NDArray[np.uint8], ...] | None


def as_batch(samples: Sequence[Sample]) -> Batch:
    """Samples as a batch: ``views``, ``covered`` and ``weight``."""
    names = ("views", "covered", "weight")
    return {
        name: torch.from_numpy(np.stack(parts))
        for name, parts in zip(names, zip(*samples, strict=True), strict=True)
    }


def _weathered(view: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A view in other light, sometimes grey, soft, noisy or compressed."""
    changed = view.astype(np.float32)
    if rng.random() < GREY_SHARE:
        changed[...] = changed.mean(axis=2, keepdims=True)
    if rng.random() < SOFT_SHARE:
        sigma = rng.uniform(0.3, SOFT_SIGMA)
        changed = np.asarray(cv2.GaussianBlur(changed, (0, 0), sigma), np.float32)
    gain = (1 + CONTRAST * rng.uniform(-1, 1)) * (1 + TINT * rng.uniform(-1, 1, 3))
    shift = 127.5 + BRIGHTNESS * rng.uniform(-1, 1)
    changed = (changed - 127.5) * gain.astype(np.float32) + np.float32(shift)
    if rng.random() < NOISE_SHARE:
        changed += rng.normal(0, rng.uniform(0, NOISE), view.shape).astype(np.float32)
    result = np.asarray(np.clip(changed, 0, 255), np.uint8)
    if rng.random() < JPEG_SHARE:
        flags = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(JPEG_QUALITY, 95))]
        packed = cv2.imencode(".jpg", result, flags)[1]
        result = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return result


def _overlap(
    found: NDArray[np.bool_], right: NDArray[np.bool_], face: NDArray[np.bool_]
) -> float | None:
    """Intersection over union on the face, None where nothing lies in front of it."""
    if not (right & face).any():
        return None
    return float((found & right & face).sum() / ((found | right) & face).sum())


def _sheet(faces: Sequence[tuple[NDArray[np.uint8], NDArray[np.bool_]]]) -> NDArray[np.uint8]:
    """Views above the same views with what was found in green."""
    tiles = []
    for view, found in faces:
        marked = view.copy()
        where = cv2.resize(found.astype(np.uint8), (VIEW_SIZE, VIEW_SIZE)) > 0
        marked[where] = marked[where] // 2 + np.array([0, 120, 0], np.uint8)
        tiles.append(np.concatenate([view, marked]))
    while len(tiles) % COLUMNS:
        tiles.append(np.zeros((2 * VIEW_SIZE, VIEW_SIZE, 3), np.uint8))
    rows = [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)
