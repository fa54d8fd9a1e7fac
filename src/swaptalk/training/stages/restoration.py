"""Stage ``restoration``: bring decoded faces nearer to real pictures, with the composite's or the
references' own pixels beside them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from swaptalk.assets import catalogue
from swaptalk.data.exclude import read_excluded
from swaptalk.data.faces import face_area, to_faces, to_pictures
from swaptalk.data.restoration_sample import RestorationSample
from swaptalk.data.restoration_samples import RestorationSamples, SampleRecipe
from swaptalk.data.row_table import Rows, RowTable
from swaptalk.errors import InputError
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.inference.bundle import default_directory
from swaptalk.losses.answer import answer_picture_loss
from swaptalk.losses.identity import identities_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.discriminator import DiscriminatorConfig, PatchDiscriminator
from swaptalk.models.identity import SFace
from swaptalk.models.restoration import RestorationConfig, RestorationNetwork
from swaptalk.training.adversary import adversarial_rise, fooling_loss, judging_terms
from swaptalk.training.announce import announce
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.pretrained import (
    RECOGNISER_FILE,
    compile_judges,
    judges_files,
    load_perceptual,
)
from swaptalk.training.stage import Batch, Evaluation, Stage

#: First and last layer, which AdamW trains.
OUTER_LAYERS = (r"^first\.1\.", r"^head\.0\.")
#: Rows of the sample sheet.
SHEET_ROWS = 8
#: Faces that go through a frozen network together.
_AT_ONCE = 8


@dataclass(frozen=True)
class RestorationWeights:
    """Weight of each loss; 0 switches it off."""

    picture: float = 1.0
    """Mean absolute difference to the real picture."""
    perceptual: float = 1.0
    """LPIPS of windows on the face against the real picture."""
    identity: float = 0.3
    """1 - cosine to source and answer by SFace."""
    adversarial: float = 0.02
    """Discriminator against real pictures."""


@dataclass(frozen=True, kw_only=True)
class RestorationOptions(LoopOptions):
    """Train the network that restores decoded faces."""

    out: Path = Path("runs/restoration")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare' with photos."""
    clips: Path | None = None
    """Dataset with whole clips, for mouths; none: the same."""
    bundle: Path = field(default_factory=default_directory)
    """Weights whose faces are restored; by default those of the package."""
    model: RestorationConfig = field(default_factory=RestorationConfig)
    """Shape of the network."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Shape of the discriminator."""
    weights: RestorationWeights = field(default_factory=RestorationWeights)
    """Weights of the losses."""
    batch_size: int = 16
    """Faces in each process's batch."""
    learning_rate: float = 1.5e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    samples: int = 4096
    """Samples to make and keep beside the dataset."""
    judged_samples: int = 128
    """Samples of validation people for the evaluation."""
    workers: int = 0
    """Processes that make them; 0: one for each core."""
    resident: bool = False
    """Keep all samples in the device's memory: for GPUs, 0.9 MB each."""
    mouth_share: float = 0.3
    """Share of samples whose mouth the lip-sync network made."""
    anchor_weight: float = 0.2
    """Weight of the restored face as the answer where there is no real one."""
    adversarial_from: int = 500
    """Step at which the discriminator starts."""
    adversarial_rise: int = 200
    """Steps over which its weight rises."""
    perceptual_network: Literal["vgg", "alex"] = "vgg"
    """Network of the perceptual loss."""
    maximum_scale: float = 2.2
    """Pictures enlarged more than this are left out."""
    sharpness: float = 2.0
    """Preference for sharp pictures; 0: none."""
    exclude: Path | None = None
    """CSV file (name, reason) of photos and clips to leave out, as of 'swaptalk prepare'."""

    def files(self) -> tuple[str, ...]:
        """Perceptual network and recogniser."""
        return judges_files(self.weights, self.perceptual_network)


class RestorationStage(Stage):
    """The restoration network; the networks whose faces it restores have made them before."""

    name = "restoration"
    averaged = ("restoration",)
    options: RestorationOptions

    def __init__(self, options: RestorationOptions) -> None:
        super().__init__(options)
        torch.manual_seed(options.seed)
        self.networks = {"restoration": RestorationNetwork(options.model)}
        if options.weights.adversarial:
            self.networks["discriminator"] = PatchDiscriminator(options.discriminator)
        self.frozen = {}
        if options.weights.perceptual:
            self.frozen["perceptual"] = load_perceptual(options.perceptual_network)
        self._recogniser: SFace | None = None
        if options.weights.identity:
            self._recogniser = SFace(catalogue.resolve(RECOGNISER_FILE))
            self.frozen["recogniser"] = self._recogniser
        self._samples = RestorationSamples(self._recipe(judged=False))
        self._judged = RestorationSamples(self._recipe(judged=True))

    def _recipe(self, judged: bool) -> SampleRecipe:
        options = self.options
        excluded = read_excluded(options.exclude) if options.exclude else ()
        return SampleRecipe(
            options.data,
            options.clips or options.data,
            options.bundle,
            judged,
            options.validation_share,
            options.mouth_share,
            options.maximum_scale,
            options.sharpness,
            frozenset(excluded),
            0 if judged else options.seed,
        )

    def prepare(self) -> None:
        """Samples of training and validation people.

        Raises:
            InputError: none could be made.
        """
        workers = self.options.workers or os.cpu_count() or 1
        self._judged.build(self.options.judged_samples, workers)
        self._samples.build(self.options.samples, workers, announce("making samples"))
        if not len(self._samples):
            raise InputError("no samples", path=self.options.data, remedy="raise --samples")
        self._table = RowTable(
            "sample", len(self._samples), lambda number: _rows(self._samples[number])
        )
        if self.options.resident:
            say = announce("reading samples")
            self._table.keep(self.device, self.options.threads, progress=say)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Network and discriminator."""
        return {name: (name,) for name in self.networks}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon inside the network; AdamW for its first and last layer and the discriminator."""
        options, rate = self.options, self.options.other_rate
        chosen = {
            "restoration": build_optimizers(
                self.networks["restoration"],
                options.optimizer,
                options.learning_rate,
                rate,
                OUTER_LAYERS,
            )
        }
        if "discriminator" in self.networks:
            chosen["discriminator"] = build_optimizers(
                self.networks["discriminator"], "adamw", rate, rate
            )
        return chosen

    def compile(self) -> None:
        """Compile what has no control flow, the frozen judges too."""
        self.networks["restoration"].compile()
        compile_judges(self.frozen)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Samples, half of them mirrored."""
        picked = rng.integers(len(self._samples), size=self.options.batch_size)
        turned = torch.from_numpy(rng.random(len(picked)) < 0.5)
        return {**self._table.pick(picked), "turned": turned}

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Restore, compare, then let the discriminator compare."""
        options, weights = self.options, self.options.weights
        batch = _mirrored(_as_floats(self._table.rows(batch)), batch["turned"])
        perceptual: Any = self.frozen.get("perceptual")
        faces: Tensor = self.networks["restoration"](*_inputs(batch))
        terms = LossTerms(weights)
        real = batch["weight"]
        weight = real + options.anchor_weight * (1 - real)
        wanted = batch["pictures"][:, 3]
        with self.autocast():
            terms.add("picture", lambda: answer_picture_loss(faces, wanted, batch["area"], weight))
            terms.add(
                "perceptual", lambda: perceptual.on_faces(faces, wanted, batch["mesh"], weight)
            )
            terms.add(
                "identity",
                lambda: identities_loss(self.frozen["recogniser"], faces, batch["identity"]),
            )
            rise = adversarial_rise(step, options.adversarial_from, options.adversarial_rise)
            terms.add(
                "adversarial", lambda: fooling_loss(self.networks["discriminator"], faces), rise
            )
        yield "restoration", terms
        if "discriminator" in self.networks and step >= options.adversarial_from:
            known = real > 0
            yield (
                "discriminator",
                judging_terms(self.networks["discriminator"], wanted[known], faces[known]),
            )

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Judge samples of unseen people: distance of decoded, restored and final faces to the real
        picture, and likeness by the recogniser of the loss.
        """
        table = RowTable("judged", len(self._judged), lambda number: _rows(self._judged[number]))
        batch = _as_floats(table.all(self.device))
        parts = zip(*(torch.split(one, _AT_ONCE) for one in _inputs(batch)), strict=True)
        result = torch.cat([networks["restoration"](*part) for part in parts]).float().clamp(-1, 1)
        real = batch["weight"] > 0
        mouths = real & torch.isnan(batch["identity"]).any(dim=2).any(dim=1)
        wanted, area = batch["pictures"][:, 3], batch["area"]
        metrics: dict[str, float] = {}
        perceptual: Any = self.frozen["perceptual"]
        for name, faces in (
            ("decoded", batch["pictures"][:, 0]),
            ("restored", batch["pictures"][:, 1]),
            ("result", result),
        ):
            distance = perceptual.whole(wanted + area * (faces - wanted), wanted)
            metrics[f"{name}_lpips"] = float(distance[real & ~mouths].mean())
            metrics[f"{name}_mouth_lpips"] = float(distance[mouths].mean())
            if self._recogniser is not None:
                found = torch.cat([self._recogniser(part) for part in torch.split(faces, _AT_ONCE)])
                likeness = (found * batch["identity"][:, 0]).sum(1)
                metrics[f"{name}_identity"] = float(likeness[real].nanmean())
                metrics[f"{name}_role_identity"] = float(likeness[~real].nanmean())
        return Evaluation(metrics, _sheet(batch, result, [mouths, real & ~mouths, ~real]))


def _rows(sample: RestorationSample) -> Rows:
    """A sample as it is stored, and where its face is."""
    return {
        "pictures": torch.tensor(sample.pictures),
        "mask": torch.tensor(sample.mask)[None],
        "mesh": torch.tensor(sample.mesh),
        "area": torch.from_numpy(face_area(sample.mesh.astype(np.float32)))[None],
        "identity": torch.tensor(sample.identity),
        "weight": torch.tensor(sample.weight),
    }


def _as_floats(rows: Rows) -> Batch:
    """Samples as the network wants them: pictures (N, 4, 3, H, W) in [-1, 1], masks in 0..1."""
    return {
        **rows,
        "pictures": to_faces(rows["pictures"]),
        "mask": rows["mask"].float() / 255,
        "area": rows["area"].float() / 255,
        "mesh": rows["mesh"].float(),
    }


def _mirrored(batch: Batch, turned: Tensor) -> Batch:
    """Mirror some samples (N,); left and right points of their meshes keep their numbers."""
    for name in ("pictures", "mask", "area"):
        batch[name][turned] = batch[name][turned].flip(-1)
    batch["mesh"][turned, :, 0] = CROP_SIZE - 1 - batch["mesh"][turned, :, 0]
    return batch


def _inputs(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    face, restored, guide = batch["pictures"][:, :3].unbind(1)
    return face, restored, guide, batch["mask"]


def _sheet(batch: Batch, result: Tensor, kinds: list[Tensor]) -> NDArray[np.uint8]:
    """Decoded, classically restored, real pixels, result and answer of some samples of each
    kind.
    """
    rows = []
    for kind in kinds:
        for k in torch.nonzero(kind)[: SHEET_ROWS // len(kinds) + 1, 0].tolist():
            face, restored, guide, answer = batch["pictures"][k]
            row = to_pictures(torch.stack([face, restored, guide, result[k], answer]))
            rows.append(np.concatenate(list(row), axis=1))
    return np.concatenate(rows)
