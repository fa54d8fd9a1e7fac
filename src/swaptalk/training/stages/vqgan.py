"""Stage ``vqgan``: the face autoencoder, on which everything later is capped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from swaptalk.assets import catalogue
from swaptalk.data.faces import (
    augment,
    draw_augmentation,
    held_out_faces,
    to_faces,
    to_pictures,
    to_tensor,
)
from swaptalk.data.frames import Frame, FrameSampler
from swaptalk.data.row_table import FrameTable, Rows
from swaptalk.data.store import Dataset
from swaptalk.errors import InputError
from swaptalk.losses.identity import directions, identity_loss
from swaptalk.losses.lpips import LPIPS
from swaptalk.losses.reconstruction import ReconstructionLoss, coarse_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.discriminator import DiscriminatorConfig, PatchDiscriminator
from swaptalk.models.identity import SFace
from swaptalk.models.vqgan import VQGAN, VQGANConfig
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

#: First and last layers of the autoencoder, which AdamW trains.
OUTER_LAYERS = (r"body\.1\.", "head")
#: Faces of the evaluation, and of the sample sheet.
JUDGED_FACES, SHEET_FACES = 24, 8


@dataclass(frozen=True)
class VQGANWeights:
    """Weight of each loss; 0 switches it off."""

    reconstruction: float = 1.0
    """Region-weighted L1."""
    coarse: float = 0.5
    """L1 at a quarter of the resolution."""
    perceptual: float = 0.6
    """LPIPS on windows."""
    commitment: float = 0.25
    """Pull of the features to their codes."""
    identity: float = 0.3
    """SFace, original against reconstruction."""
    adversarial: float = 0.05
    """Patch discriminator, from adversarial_from on."""


@dataclass(frozen=True, kw_only=True)
class VQGANOptions(LoopOptions):
    """Train the face autoencoder: encoder, two codebooks, decoder."""

    out: Path = Path("runs/vqgan")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    model: VQGANConfig = field(default_factory=VQGANConfig)
    """Shape of the autoencoder."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Shape of the discriminator."""
    weights: VQGANWeights = field(default_factory=VQGANWeights)
    """Weights of the losses."""
    quantize_from: int = 400
    """Step at which the codebooks start, by k-means; earlier they would collapse."""
    quantized_share: float = 0.5
    """Share of pictures decoded from codes, the others from unquantised embeddings."""
    identity_from: int = 600
    """Step at which the identity loss starts; earlier the pictures are no faces."""
    identity_share: float = 0.25
    """Share of each batch that the identity loss looks at; the recogniser is expensive."""
    adversarial_from: int = 8000
    """Step at which the discriminator starts, once the other losses have done what they can."""
    adversarial_rise: int = 500
    """Steps over which its weight rises."""
    decoder_only: bool = False
    """Leave encoder and codebooks as --start-from has them, so that later stages stay valid."""
    perceptual_network: Literal["vgg", "alex"] = "vgg"
    """Network of the perceptual loss; the report's LPIPS is on AlexNet."""
    video_share: float = 0.35
    """Share of faces taken from clips."""
    maximum_scale: float = 2.6
    """Pictures enlarged more than this are left out."""
    sharpness: float = 1.0
    """Preference for sharp pictures; 0: none."""
    resident: bool = False
    """Keep all pictures in the device's memory: for GPUs, 0.2 MB each."""

    def files(self) -> tuple[str, ...]:
        """Perceptual network and recogniser."""
        return ("lpips-alexnet", *judges_files(self.weights, self.perceptual_network))


class VQGANStage(Stage):
    """Autoencoder against patch discriminator."""

    name = "vqgan"
    averaged = ("vqgan",)
    options: VQGANOptions

    def __init__(self, options: VQGANOptions) -> None:
        super().__init__(options)
        torch.manual_seed(options.seed)
        weights = options.weights
        autoencoder = VQGAN(options.model)
        if options.decoder_only:
            if options.start_from is None:
                remedy = "give the run it comes from as --start-from"
                raise InputError("--decoder-only needs a finished encoder", remedy=remedy)
            autoencoder.freeze_encoder()
        self.networks = {"vqgan": autoencoder}
        if weights.adversarial:
            self.networks["discriminator"] = PatchDiscriminator(options.discriminator)
        for network in self.networks.values():
            for weight in network.parameters():
                if weight.ndim == 4:
                    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.frozen = {"reconstruction": ReconstructionLoss()}
        if weights.perceptual:
            self.frozen["perceptual"] = load_perceptual(options.perceptual_network)
        if weights.identity:
            self.frozen["recogniser"] = SFace(catalogue.resolve(RECOGNISER_FILE))
        self._dataset = Dataset(options.data, options.validation_share)
        self._sampler = FrameSampler(
            self._dataset, options.video_share, options.sharpness, options.maximum_scale
        )
        self._pictures = FrameTable("face", self._sampler.items, self._picture)
        self._judges: dict[str, nn.Module] | None = None

    def prepare(self) -> None:
        """Read all pictures now if the device keeps them."""
        if self.options.resident:
            usable = [self._pictures.number(frame) for frame in self._sampler.usable]
            threads, say = self.options.threads, announce("reading the data set")
            self._pictures.keep(self.device, threads, usable, say)

    def _picture(self, frame: Frame) -> Rows:
        return {"picture": torch.from_numpy(self._dataset.picture(*frame))}

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Autoencoder and discriminator."""
        return {name: (name,) for name in self.networks}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon for the autoencoder's inside; AdamW for the rest and for the discriminator."""
        options = self.options
        chosen = {
            "vqgan": build_optimizers(
                self.networks["vqgan"],
                options.optimizer,
                options.learning_rate,
                options.other_rate,
                OUTER_LAYERS,
            )
        }
        if "discriminator" in self.networks:
            chosen["discriminator"] = build_optimizers(
                self.networks["discriminator"], "adamw", options.other_rate, options.other_rate
            )
        return chosen

    def compile(self) -> None:
        """Compile the parts with convolutions; the quantiser's control flow stays as it is."""
        autoencoder = self.networks["vqgan"]
        assert isinstance(autoencoder, VQGAN)
        autoencoder.encoder.compile()
        autoencoder.decoder.compile()
        compile_judges(self.frozen)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Pictures, and how they are augmented."""
        count, number = self.options.batch_size, self._pictures.number
        faces = self._pictures.pick([number(self._sampler.draw(rng)) for _ in range(count)])
        return {**faces, **draw_augmentation(rng, count)}

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Reconstruct, then let the discriminator compare."""
        options = self.options
        faces = augment(to_faces(self._pictures.rows(batch)["picture"]), batch)
        faces = faces.contiguous(memory_format=torch.channels_last)
        quantizing = options.decoder_only or step >= options.quantize_from
        result = self.networks["vqgan"](faces, options.quantized_share if quantizing else 0.0)
        picture: Tensor = result.picture
        terms = LossTerms(options.weights)
        terms.add("reconstruction", lambda: self._frozen("reconstruction")(picture, faces))
        terms.add("coarse", lambda: coarse_loss(picture, faces))
        with self.autocast():
            early = min(1.0, (step + 1) / 300)  # LPIPS of noise leads astray
            terms.add("perceptual", lambda: self._frozen("perceptual")(picture, faces), early)
            terms.add(
                "commitment",
                lambda: result.commitment,
                float(quantizing and not options.decoder_only),
            )
            terms.add(
                "identity",
                lambda: self._identity(picture, faces),
                float(step >= options.identity_from),
            )
            rise = adversarial_rise(step, options.adversarial_from, options.adversarial_rise)
            terms.add(
                "adversarial", lambda: fooling_loss(self.networks["discriminator"], picture), rise
            )
        yield "vqgan", terms
        if "discriminator" in self.networks and step >= options.adversarial_from:
            yield "discriminator", judging_terms(self.networks["discriminator"], faces, picture)

    def _frozen(self, name: str) -> nn.Module:
        return self.frozen[name]

    def _identity(self, picture: Tensor, faces: Tensor) -> Tensor:
        count = max(1, round(self.options.identity_share * len(faces)))
        recogniser: Any = self.frozen["recogniser"]
        return identity_loss(recogniser, picture[:count], directions(recogniser, faces[:count]))

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """L1, LPIPS on AlexNet and identity of unseen faces, from embeddings and from codes, and
        codebook use.
        """
        network: Any = networks["vqgan"]
        device = next(network.parameters()).device
        pictures = held_out_faces(self._dataset, JUDGED_FACES)
        faces = to_tensor(pictures).to(device)
        metrics: dict[str, float] = {}
        latents = torch.cat([network.encode(part) for part in torch.split(faces, 8)])
        made = {"": latents}
        if self.options.decoder_only or step > self.options.quantize_from:
            codes = network.quantizer.encode(latents)
            made["codes_"] = network.quantizer.decode(codes)
            metrics["codes_used"] = _distinct(codes)
        rows = [pictures[:SHEET_FACES]]
        for prefix, embeddings in made.items():
            decoded = torch.cat(
                [network.decode(part) for part in torch.split(embeddings, 8)]
            ).clamp(-1, 1)
            metrics[f"{prefix}l1"] = float((decoded - faces).abs().mean())
            for name, judge in self._report_networks(device).items():
                metrics[prefix + name] = _judgement(name, judge, decoded, faces)
            rows.append(to_pictures(decoded[:SHEET_FACES]))
        return Evaluation(
            metrics, np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
        )

    def _report_networks(self, device: torch.device) -> dict[str, nn.Module]:
        """LPIPS on AlexNet and SFace where their files are there; an evaluation alone fetches
        nothing.
        """
        if self._judges is None:
            self._judges = {}
            if catalogue.status(catalogue.get("lpips-alexnet")) == "ready":
                self._judges["lpips"] = LPIPS("alex", catalogue.resolve("lpips-alexnet")).to(device)
            if "recogniser" in self.frozen:
                self._judges["identity"] = self.frozen["recogniser"]
        return self._judges


def _judgement(name: str, judge: Any, decoded: Tensor, faces: Tensor) -> float:
    if name == "lpips":
        return float(judge(decoded, faces).mean())
    return float((judge(decoded) * judge(faces)).sum(dim=1).mean())


def _distinct(codes: Tensor) -> float:
    """Mean number of different codes in use per codebook, of codes (N, heads, H, W), over both
    halves.
    """
    counts = [
        len(torch.unique(half[:, head]))
        for half in codes.chunk(2, dim=2)
        for head in range(codes.shape[1])
    ]
    return float(np.mean(counts))
