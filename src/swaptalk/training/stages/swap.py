"""Stage ``swap``: correct the classical composite towards real pictures, learned on cached
embeddings.
"""

from __future__ import annotations

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
from swaptalk.data.faces import to_pictures, to_tensor
from swaptalk.data.frames import FrameSampler
from swaptalk.data.latents import LatentCache
from swaptalk.data.store import Dataset, Item
from swaptalk.data.triplets import Triplet, TripletCache, TripletMaker, face_area
from swaptalk.errors import InputError
from swaptalk.losses.answer import answer_loss, answer_picture_loss
from swaptalk.losses.identity import identities_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.discriminator import DiscriminatorConfig, PatchDiscriminator
from swaptalk.models.identity import SFace
from swaptalk.models.swap import SwapConfig, SwapTransformer
from swaptalk.models.vqgan import VQGAN
from swaptalk.training.adversary import adversarial_rise, fooling_loss, judging_terms
from swaptalk.training.announce import announce
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.pretrained import (
    compile_judges,
    fingerprint,
    load_network,
    load_perceptual,
)
from swaptalk.training.stage import Batch, Evaluation, Stage

#: Embeddings, tables of positions, depthwise kernels, first and last layer, which AdamW trains.
OUTER_LAYERS = ("^embed", "^position", "^semantic", r"^output\.", r"\.table$", r"\.mix\.")
#: Rows of the sample sheet.
SHEET_ROWS = 8


@dataclass(frozen=True)
class SwapWeights:
    """Weight of each loss; 0 switches it off."""

    latent: float = 0.6
    """Embedding of the result against that of the real picture."""
    picture: float = 0.5
    """Decoded result against the real picture."""
    perceptual: float = 1.0
    """LPIPS of windows on the face of the decoded result against the real picture."""
    identity: float = 0.3
    """SFace: result against both pictures of the source person."""
    adversarial: float = 0.02
    """Patch discriminator against real photographs, from adversarial_from on."""


@dataclass(frozen=True, kw_only=True)
class SwapOptions(LoopOptions):
    """Train the face swapping module on a finished autoencoder."""

    out: Path = Path("runs/swap")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    vqgan: Path = Path("runs/vqgan")
    """Run of 'swaptalk train vqgan', or an exported bundle."""
    model: SwapConfig = field(default_factory=SwapConfig)
    """Shape of the transformer; latent_channels must be the autoencoder's."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Shape of the discriminator."""
    weights: SwapWeights = field(default_factory=SwapWeights)
    """Weights of the losses."""
    batch_size: int = 24
    """Triplets in each process's batch."""
    learning_rate: float = 1.5e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    triplets: int = 8192
    """Triplets to make and keep beside the cached embeddings."""
    judged_triplets: int = 96
    """Triplets of validation people for the evaluation."""
    role_share: float = 0.3
    """Share of each batch with a real picture of somebody else as target, taught by identity."""
    anchor_weight: float = 0.2
    """Weight of the composite itself as the answer of these; 1: the same as a real answer."""
    decode_share: float = 0.2
    """Share of each batch that is decoded; decoding costs more than swapping."""
    adversarial_from: int = 1500
    """Step at which the discriminator starts."""
    adversarial_rise: int = 300
    """Steps over which its weight rises."""
    perceptual_network: Literal["vgg", "alex"] = "vgg"
    """Network of the perceptual loss."""
    video_share: float = 0.3
    """Share of faces taken from clips, where mouths speak; in photos they smile."""
    maximum_scale: float = 2.2
    """Pictures enlarged more than this are left out."""
    sharpness: float = 2.0
    """Preference for sharp pictures; 0: none."""
    exclude: Path | None = None
    """CSV file (name, reason) of photos and clips to leave out, as of 'swaptalk prepare'."""
    embed_frames: int = 0
    """Frames of each clip to embed and learn from, in short runs spread over it; 0: all."""


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
            self._recogniser = SFace(catalogue.resolve("sface"))
            self.frozen["recogniser"] = self._recogniser
        self._dataset = Dataset(options.data, options.validation_share)
        self._latents = LatentCache(self._dataset, fingerprint(vqgan.encoder), options.embed_frames)
        self._excluded = set(read_excluded(options.exclude)) if options.exclude else set()
        self._frames = self._sampler(self._dataset.select("train"))
        maker = TripletMaker(self._frames, options.seed)
        self._triplets = TripletCache(self._latents.folder, maker, self._frames)
        judged = self._sampler(self._dataset.judged())
        folder = self._latents.folder.with_name(f"{self._latents.folder.name}-validation")
        self._judged = TripletCache(folder, TripletMaker(judged, 0), judged)
        self._identity = {
            item.name: self._dataset.embedding(item)
            for item in self._dataset.items
            if self._recogniser is not None
        }

    def _sampler(self, items: list[Item]) -> FrameSampler:
        options = self.options
        return FrameSampler(
            self._latents,
            options.video_share,
            options.sharpness,
            options.maximum_scale,
            self._excluded,
            items,
        )

    def prepare(self) -> None:
        """Triplets of training and validation people, and embeddings of their answers.

        Raises:
            InputError: the dataset gives no triplets to learn from.
        """
        vqgan = self._vqgan.to(self.device)
        self._triplets.build(self.options.triplets, vqgan, self.device, announce("making triplets"))
        self._judged.build(self.options.judged_triplets, vqgan, self.device)
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
        rows: list[dict[str, Tensor]] = []
        pictures: list[Tensor] = []
        for place in range(options.batch_size):
            role = bool(self._roles) and rng.random() < options.role_share
            pool = self._roles if role else self._real
            triplet = self._triplets[pool[int(rng.integers(len(pool)))]]
            rows.append(self._row(triplet))
            if place < decoded:
                pictures.append(to_tensor(self._answer(triplet)[None])[0])
        batch = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
        batch["picture"] = torch.stack(pictures)
        real = [self._dataset.picture(*self._frames.draw(rng)) for _ in range(decoded)]
        batch["real"] = to_tensor(np.stack(real))
        return batch

    def _decoded(self) -> int:
        return max(1, round(self.options.decode_share * self.options.batch_size))

    def _answer(self, triplet: Triplet) -> NDArray[np.uint8]:
        if triplet.role == "role":
            return triplet.anchor_picture()
        return self._dataset.picture(*triplet.answer)

    def _row(self, triplet: Triplet) -> dict[str, Tensor]:
        role = triplet.role == "role"
        answer = triplet.composite if role else self._latents(triplet.answer[0])[triplet.answer[1]]
        whose = triplet.source if role else triplet.answer
        area = face_area(triplet.mesh.astype(np.float32), 64)
        return {
            "composite": _floats(triplet.composite),
            "photo": _floats(triplet.photo),
            "mask": torch.from_numpy(triplet.mask.astype(np.float32) / 255)[None],
            "answer": _floats(answer),
            "area": torch.from_numpy(area)[None],
            "mesh": torch.from_numpy(triplet.mesh.astype(np.float32)),
            "weight": torch.tensor(self.options.anchor_weight if role else 1.0),
            "identity": torch.stack(
                [self._direction(triplet.source[0]), self._direction(whose[0])]
            ),
        }

    def _direction(self, item: Item) -> Tensor:
        return torch.tensor(self._identity.get(item.name, np.zeros(128, np.float32)))

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Correct all composites, decode some, then let the discriminator compare."""
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
        rows = [self._row(triplet) for triplet in self._judged]
        batch = {key: torch.stack([row[key] for row in rows]).to(self.device) for key in rows[0]}
        swap: Any = networks["swap"]
        result: Tensor = swap(batch["composite"], batch["mask"], batch["photo"])
        before, after = (self._pictures(latents) for latents in (batch["composite"], result))
        metrics: dict[str, float] = {}
        perceptual: Any = self.frozen.get("perceptual")
        real = batch["weight"] == 1
        wanted = to_tensor(np.stack([self._answer(t) for t in self._judged])).to(self.device)
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


def _floats(latents: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(np.asarray(latents, np.float32))
