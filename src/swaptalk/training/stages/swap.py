"""Stage ``swap``: correct the classical composite towards real pictures, learned on cached
embeddings.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from swaptalk.assets import catalogue
from swaptalk.data.exclude import read_excluded
from swaptalk.data.faces import face_area, to_faces, to_pictures
from swaptalk.data.frames import Frame, FrameChoice
from swaptalk.data.latents import LatentCache
from swaptalk.data.row_table import FrameTable, Rows, RowTable
from swaptalk.data.store import Dataset, Item
from swaptalk.data.triplet_cache import Triplet, TripletCache
from swaptalk.errors import InputError
from swaptalk.losses.answer import answer_loss, answer_picture_loss
from swaptalk.losses.identity import identities_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.discriminator import PatchDiscriminator
from swaptalk.models.identity import SFace
from swaptalk.models.swap import SwapTransformer
from swaptalk.models.vqgan import VQGAN
from swaptalk.training.adversary import adversarial_rise, fooling_loss, judging_terms
from swaptalk.training.announce import announce
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.pretrained import (
    RECOGNISER_FILE,
    compile_judges,
    fingerprint,
    load_network,
    load_perceptual,
)
from swaptalk.training.stage import Batch, Evaluation, Stage
from swaptalk.training.stages.swap_options import SwapOptions

#: Embeddings, tables of positions, depthwise kernels, first and last layer, which AdamW trains.
OUTER_LAYERS = ("^embed", "^position", "^semantic", r"^output\.", r"\.table$", r"\.mix\.")
#: Rows of the sample sheet.
SHEET_ROWS = 8


class SwapStage(Stage):
    """The swap transformer, with the autoencoder and SFace frozen."""

    name = "swap"
    averaged = ("swap",)
    options: SwapOptions

    def __init__(self, options: SwapOptions) -> None:
        super().__init__(options)
        vqgan: VQGAN = load_network("vqgan", options.vqgan)
        if options.model.latent_channels != vqgan.config.latent_channels:
            raise InputError(
                f"its embeddings have {vqgan.config.latent_channels} channels",
                path=options.vqgan,
                remedy=f"give --model.latent-channels {vqgan.config.latent_channels}",
            )
        torch.manual_seed(options.seed)
        self.networks = {"swap": SwapTransformer(options.model)}
        if options.weights.adversarial:
            self.networks["discriminator"] = PatchDiscriminator(options.discriminator)
        self._vqgan = vqgan
        self.frozen = {"vqgan": vqgan}
        if options.weights.perceptual:
            self.frozen["perceptual"] = load_perceptual(options.perceptual_network)
        self._recogniser: SFace | None = None
        if options.weights.identity:
            self._recogniser = SFace(catalogue.resolve(RECOGNISER_FILE))
            self.frozen["recogniser"] = self._recogniser
        self._dataset = Dataset(options.data, options.validation_share)
        self._latents = LatentCache(self._dataset, fingerprint(vqgan.encoder), options.embed_frames)
        self._triplets = self._cache(judged=False)
        self._judged = self._cache(judged=True)
        self._identity = {
            item.name: self._dataset.embedding(item)
            for item in self._dataset.items
            if self._recogniser is not None
        }

    def _cache(self, judged: bool) -> TripletCache:
        """Triplets of training people, or of those that the run is judged on."""
        options, folder = self.options, self._latents.folder
        choice = FrameChoice(
            options.data,
            judged,
            options.validation_share,
            options.video_share,
            options.sharpness,
            options.maximum_scale,
            frozenset(read_excluded(options.exclude) if options.exclude else ()),
            options.embed_frames,
        )
        if judged:
            folder = folder.with_name(f"{folder.name}-validation")
        return TripletCache(folder, choice, 0 if judged else options.seed, self._dataset)

    def prepare(self) -> None:
        """Triplets of training and validation people, and embeddings of their answers.

        Raises:
            InputError: the dataset gives no triplets to learn from.
        """
        options, device = self.options, self.device
        vqgan, workers = self._vqgan.to(device), options.workers or os.cpu_count() or 1
        self._triplets.build(options.triplets, vqgan, device, workers, announce("making triplets"))
        self._judged.build(options.judged_triplets, vqgan, device, workers)
        caches = (self._triplets, self._judged)
        answers = {
            t.answer[0].name: t.answer[0] for cache in caches for t in cache if t.role != "role"
        }
        self._latents.build(
            answers.values(), vqgan, self.device, announce("embedding the data set")
        )
        self._roles = [k for k, t in enumerate(self._triplets) if t.role == "role"]
        self._real = [k for k, t in enumerate(self._triplets) if t.role != "role"]
        if not self._real:
            raise InputError(
                "no triplet with an answer", path=self.options.data, remedy="raise --triplets"
            )
        self._lay_tables()

    def _lay_tables(self) -> None:
        """Say how examples are read, and read them now if the device keeps them."""
        triplets, frames = self._triplets, self._triplets.frames
        self._examples = RowTable("triplet", len(triplets), lambda k: self._example(triplets[k]))
        self._answers = RowTable("answer", len(triplets), lambda k: self._answer(triplets[k]))
        self._photographs = FrameTable("real", frames.items, self._photograph)
        if self.options.resident:
            threads, say = self.options.threads, announce("reading the data set")
            self._examples.keep(self.device, threads)
            self._answers.keep(self.device, threads)
            usable = [self._photographs.number(frame) for frame in frames.usable]
            self._photographs.keep(self.device, threads, usable, say)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Transformer and discriminator."""
        return {name: (name,) for name in self.networks}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon for the transformer's layers; AdamW for embeddings, output and the discriminator."""
        options, rate = self.options, self.options.other_rate
        chosen = {
            "swap": build_optimizers(
                self.networks["swap"], options.optimizer, options.learning_rate, rate, OUTER_LAYERS
            )
        }
        if "discriminator" in self.networks:
            chosen["discriminator"] = build_optimizers(
                self.networks["discriminator"], "adamw", rate, rate
            )
        return chosen

    def compile(self) -> None:
        """Compile what has no control flow, the frozen judges too."""
        self.networks["swap"].compile()
        self._vqgan.decoder.compile()
        compile_judges(self.frozen)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Triplets; the first ``decode_share`` of them come with pictures, role pairs among them in
        proportion.
        """
        options = self.options
        decoded = self._decoded()
        numbers: list[int] = []
        for _ in range(options.batch_size):
            role = bool(self._roles) and rng.random() < options.role_share
            pool = self._roles if role else self._real
            numbers.append(pool[int(rng.integers(len(pool)))])
        frames, real = self._triplets.frames, self._photographs
        return {
            **self._examples.pick(numbers),
            **self._answers.pick(numbers[:decoded]),
            **real.pick([real.number(frames.draw(rng)) for _ in range(decoded)]),
        }

    def _decoded(self) -> int:
        return max(1, round(self.options.decode_share * self.options.batch_size))

    def _photograph(self, frame: Frame) -> Rows:
        return {"picture": torch.from_numpy(self._dataset.picture(*frame))}

    def _answer(self, triplet: Triplet) -> Rows:
        """Picture (256, 256, 3) uint8 that the decoded result is compared with."""
        if triplet.role == "role":
            return {"picture": torch.from_numpy(triplet.anchor_picture())}
        return self._photograph(triplet.answer)

    def _example(self, triplet: Triplet) -> Rows:
        """What the network sees and should give, as it is stored."""
        role = triplet.role == "role"
        answer = triplet.composite if role else self._latents(triplet.answer[0])[triplet.answer[1]]
        whose = triplet.source if role else triplet.answer
        people = [self._identity_of(item) for item, _ in (triplet.source, whose)]
        return {
            "composite": torch.tensor(triplet.composite),
            "photo": torch.tensor(triplet.photo),
            "mask": torch.tensor(triplet.mask)[None],
            "answer": torch.tensor(answer),
            "area": torch.from_numpy(face_area(triplet.mesh.astype(np.float32), 64))[None],
            "mesh": torch.tensor(triplet.mesh),
            "weight": torch.tensor(self.options.anchor_weight if role else 1.0),
            "identity": torch.from_numpy(np.stack(people)),
        }

    def _identity_of(self, item: Item) -> NDArray[np.float32]:
        return self._identity.get(item.name, np.zeros(128, np.float32))

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Correct all composites, decode some, then let the discriminator compare."""
        batch = {
            **_as_floats(self._examples.rows(batch)),
            "picture": to_faces(self._answers.rows(batch)["picture"]),
            "real": to_faces(self._photographs.rows(batch)["picture"]),
        }
        result: Tensor = self.networks["swap"](batch["composite"], batch["mask"], batch["photo"])
        terms, weights = LossTerms(self.options.weights), self.options.weights
        weight = batch["weight"]
        terms.add("latent", lambda: answer_loss(result, batch["answer"], batch["area"], weight))
        judging = "discriminator" in self.networks and step >= self.options.adversarial_from
        faces: Tensor | None = None
        if any((weights.picture, weights.perceptual, weights.identity, weights.adversarial)):
            count = len(batch["picture"])
            some = {key: part[:count] for key, part in batch.items()}
            with self.autocast():
                faces = self._vqgan.decode(result[:count])
                self._add_picture_terms(terms, faces, some)
                rise = adversarial_rise(
                    step, self.options.adversarial_from, self.options.adversarial_rise
                )
                terms.add(
                    "adversarial", lambda: fooling_loss(self.networks["discriminator"], faces), rise
                )
        yield "swap", terms
        if judging and faces is not None:
            yield (
                "discriminator",
                judging_terms(self.networks["discriminator"], batch["real"], faces),
            )

    def _add_picture_terms(self, terms: LossTerms, faces: Tensor, batch: Batch) -> None:
        """Losses of decoded results against real pictures and the person's identity."""
        perceptual: Any = self.frozen.get("perceptual")
        wanted, weight = batch["picture"], batch["weight"]
        terms.add("picture", lambda: answer_picture_loss(faces, wanted, batch["area"], weight))
        terms.add(
            "perceptual",
            lambda: perceptual.on_faces(faces, wanted, batch["mesh"], weight),
        )
        terms.add(
            "identity",
            lambda: identities_loss(self.frozen["recogniser"], faces, batch["identity"]),
        )

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Judge triplets of unseen people: distance to the real picture, and likeness by the
        recogniser of the loss.
        """
        batch = self._stacked(self._example)
        swap: Any = networks["swap"]
        result: Tensor = swap(batch["composite"], batch["mask"], batch["photo"])
        before, after = (self._pictures(latents) for latents in (batch["composite"], result))
        metrics: dict[str, float] = {}
        perceptual: Any = self.frozen.get("perceptual")
        real = batch["weight"] == 1
        wanted = to_faces(self._stacked(self._answer)["picture"])
        area = torch.nn.functional.interpolate(batch["area"], scale_factor=4, mode="bilinear")
        for name, faces in (("composite", before), ("result", after)):
            apart = (area * (faces - wanted).abs()).sum((1, 2, 3)) / (3 * area.sum((1, 2, 3)))
            metrics[f"{name}_l1"] = float(apart[real].mean())
            if perceptual is not None:
                mixed = wanted + area * (faces - wanted)
                metrics[f"{name}_lpips"] = float(perceptual.whole(mixed, wanted)[real].mean())
            if self._recogniser is not None:
                found = torch.cat([self._recogniser(part) for part in torch.split(faces, 8)])
                likeness = (found * batch["identity"][:, 0]).sum(1)
                metrics[f"{name}_identity"] = float(likeness[real].mean())
                metrics[f"{name}_role_identity"] = float(likeness[~real].nanmean())
        return Evaluation(metrics, self._sheet(before, after))

    def _stacked(self, read: Callable[[Triplet], Rows]) -> Batch:
        """Examples of the validation people, on the device."""
        table = RowTable("judged", len(self._judged), lambda k: read(self._judged[k]))
        return _as_floats(table.all(self.device))

    def _pictures(self, latents: Tensor) -> Tensor:
        return (
            torch.cat([self._vqgan.decode(part) for part in torch.split(latents, 8)])
            .float()
            .clamp(-1, 1)
        )

    def _sheet(self, before: Tensor, after: Tensor) -> NDArray[np.uint8]:
        """Source, composite, result and answer of some triplets; role pairs show their target
        last.
        """
        order = [k for k, t in enumerate(self._judged) if t.role == "role"][: SHEET_ROWS // 2]
        order += [k for k, t in enumerate(self._judged) if t.role != "role"][
            : SHEET_ROWS - len(order)
        ]
        rows = []
        for k in order:
            triplet = self._judged[k]
            ends = [self._dataset.picture(*frame) for frame in (triplet.source, triplet.answer)]
            made = [to_pictures(faces[k : k + 1])[0] for faces in (before, after)]
            rows.append(np.concatenate([ends[0], *made, ends[1]], axis=1))
        return np.concatenate(rows)


def _as_floats(rows: Rows) -> Batch:
    """Examples as the networks want them: masks in 0..1, all but pictures in float32."""
    batch = {key: part if key == "picture" else part.float() for key, part in rows.items()}
    for key in ("mask", "area"):
        if key in batch:
            batch[key] = batch[key] / 255
    return batch
