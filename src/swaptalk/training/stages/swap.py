"""Stage ``swap``: give the target's embedding the source's identity, learned on cached
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
from swaptalk.data.faces import to_pictures, to_tensor
from swaptalk.data.latents import LatentCache
from swaptalk.data.motion import MotionTable
from swaptalk.data.pairs import Frame, FrameSampler, ProxyCache, external_pairs
from swaptalk.data.sampling import usable_frame
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError
from swaptalk.faces.geometry.align import estimate_alignment
from swaptalk.losses.geometry import geometry_loss
from swaptalk.losses.identity import identity_loss
from swaptalk.losses.proxy import proxy_loss, proxy_picture_loss
from swaptalk.losses.terms import Terms
from swaptalk.models.discriminator import DiscriminatorConfig, PatchDiscriminator
from swaptalk.models.identity import SFace
from swaptalk.models.swap import SwapConfig, SwapTransformer
from swaptalk.models.vqgan import VQGAN
from swaptalk.training.adversary import adversarial_rise, fooling_loss, judging_terms
from swaptalk.training.geometry import geometry_regressor
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.pretrained import compile_judges, fingerprint, load_network, load_perceptual
from swaptalk.training.stage import Batch, Evaluation, Stage

#: Embeddings, tables of positions, first and last layer, which AdamW trains.
OUTER_LAYERS = ("^embed", "^position", "^semantic", r"^output\.", r"\.table$")
#: Pairs of validation people of the evaluation, and of the sample sheet.
JUDGED_PAIRS, SHEET_PAIRS = 24, 8


@dataclass(frozen=True)
class SwapWeights:
    """Weight of each loss; 0 switches it off."""

    proxy: float = 1.0
    """L_proxy: embedding of the proxy's picture."""
    proxy_picture: float = 0.3
    """Decoded result against decoded proxy."""
    identity_source: float = 0.15
    """L_id_src: SFace, result against source."""
    identity_result: float = 0.05
    """L_id_res: SFace, result against proxy."""
    perceptual: float = 0.2
    """LPIPS on windows of the decoded result against those of the decoded proxy: texture that L1
    averages away."""
    adversarial: float = 0.03
    """Patch discriminator, from adversarial_from on: decoded results shall look like decoded real
    faces."""
    geometry: float = 0.2
    """Openings of the mouth, yaw and pitch as the target has them, read from the embedding."""


@dataclass(frozen=True, kw_only=True)
class SwapOptions(LoopOptions):
    """Train the face swapping module on a finished autoencoder."""

    out: Path = Path("runs/swap")
    """Folder of the run: checkpoint, log.csv, metrics.csv, samples, TensorBoard. A run found there
    is resumed."""
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
    batch_size: int = 32
    """Pairs in each process's batch."""
    learning_rate: float = 2e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    proxies: int = 8192
    """Mesh-warp proxies to make and keep beside the cached embeddings; 0: none."""
    pairs: Path | None = None
    """Folder of pairs by another swapper: NAME_target.*, NAME_source.*, NAME_result.*."""
    pairs_share: float = 0.5
    """Share of that folder among the pairs with a proxy."""
    reposed_share: float = 0.2
    """Share of the mesh-warp proxies whose source is shown in another pose than the one that suits
    the target."""
    same_share: float = 0.2
    """Share of pairs of one person, whose exact answer is the target itself."""
    free_share: float = 0.0
    """Share of random pairs without a proxy, which only the identity losses teach."""
    decode_share: float = 0.2
    """Share of each batch that is decoded; decoding costs more than swapping."""
    decode_from: int = 300
    """Step at which the losses on pictures start, which need decoding."""
    adversarial_from: int = 600
    """Step at which the discriminator starts."""
    adversarial_rise: int = 200
    """Steps over which its weight rises."""
    perceptual_network: Literal["vgg", "alex"] = "vgg"
    """Network of the perceptual loss."""
    video_share: float = 0.3
    """Share of faces taken from clips, where mouths speak; in photos they smile."""
    maximum_scale: float = 2.6
    """Pictures enlarged more than this are left out."""
    sharpness: float = 1.0
    """Preference for sharp pictures; 0: none."""
    geometry_steps: int = 1500
    """Batches that the geometry regressor is fitted to before the first step, once for a data
    set."""
    embed_frames: int = 0
    """Frames of each clip to embed and learn from, in short runs spread over it; 0: all. Each of
    them is encoded before the first step, so hours of footage want some dozens a clip."""


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
        if options.weights.identity_source or options.weights.identity_result:
            self._recogniser = SFace(catalogue.resolve("sface"))
            self.frozen["recogniser"] = self._recogniser
        self._dataset = Dataset(options.data, options.validation_share)
        self._latents = LatentCache(self._dataset, fingerprint(vqgan.encoder), options.embed_frames)
        self._frames = FrameSampler(
            self._latents, options.video_share, options.sharpness, options.maximum_scale
        )
        self._proxies = ProxyCache(self._latents, self._frames, options.seed)
        self._external: list[dict[str, Tensor]] = []
        self._identity = {
            item.name: self._dataset.embedding(item)
            for item in self._dataset.items
            if self._recogniser is not None
        }

    def prepare(self) -> None:
        """Embeddings of the data set, proxies, and the pairs of another swapper."""
        vqgan, recogniser = self._vqgan.to(self.device), self._recogniser
        if recogniser is not None:
            recogniser.to(self.device)
        wanted = [
            *self._frames.items,
            *(item for frames in self._judged_frames() for item, _ in frames),
        ]
        self._latents.build(wanted, vqgan, self.device, announce("embedding the data set"))
        if self.options.proxies:
            judge = recogniser if self.options.weights.identity_result else None
            self._proxies.build(
                self.options.proxies, vqgan, judge, self.device, announce("making proxies")
            )
        if self.options.pairs is not None:
            self._external = [
                self._encode_pair(pair) for pair in external_pairs(self.options.pairs, _aligner())
            ]
        if self.options.weights.geometry:
            motion = MotionTable(self._dataset)
            motion.build(announce("measuring mouths"))
            self.frozen["geometry"] = geometry_regressor(
                self._latents,
                motion,
                self._frames.items,
                self.options.geometry_steps,
                self.options.seed,
                self.device,
            )

    def _encode_pair(self, pair: tuple[NDArray[np.uint8], ...]) -> dict[str, Tensor]:
        faces = to_tensor(np.stack(pair)).to(self.device)
        with torch.inference_mode():
            target, source, result = self._vqgan.encode(faces).float().cpu().clone()
            judge = self._recogniser
            found = (
                judge(faces[1:]).float().cpu().clone() if judge is not None else torch.zeros(2, 128)
            )
        return _pair(target, source, result, found[0], found[1], 1.0)

    def players(self) -> dict[str, tuple[str, ...]]:
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
        """Pairs: see `SwapOptions` for their kinds."""
        pairs = [self._draw(rng) for _ in range(self.options.batch_size)]
        return {key: torch.stack([pair[key] for pair in pairs]) for key in pairs[0]}

    def _draw(self, rng: np.random.Generator) -> dict[str, Tensor]:
        options, choice = self.options, float(rng.random())
        if choice < options.same_share:
            target = self._frames.draw(rng)
            source = self._frames.another(target, rng)
            answer, whose = self._latent(target), self._direction(source[0])
            return _pair(answer, self._latent(source), answer, whose, whose, 1.0)
        if choice < options.same_share + options.free_share or not (
            len(self._proxies) or self._external
        ):
            target, source = self._frames.draw(rng), self._frames.draw(rng)
            latent, whose = self._latent(target), self._direction(source[0])
            return _pair(latent, self._latent(source), latent, whose, whose, 0.0)
        if self._external and (not len(self._proxies) or rng.random() < options.pairs_share):
            return self._external[int(rng.integers(len(self._external)))]
        proxy = self._proxies[int(rng.integers(len(self._proxies)))]
        turned = rng.random() < options.reposed_share
        return _pair(
            self._latent(proxy.target),
            _floats(proxy.reposed) if turned else self._latent(proxy.source),
            _floats(proxy.latents),
            self._direction(proxy.source[0]),
            torch.tensor(np.array(proxy.identity)),
            proxy.quality,
        )

    def _latent(self, frame: Frame) -> Tensor:
        return _floats(self._latents(frame[0])[frame[1]])

    def _direction(self, item: Item) -> Tensor:
        return torch.tensor(self._identity.get(item.name, np.zeros(128, np.float32)))

    def play(self, batch: Batch, step: int) -> Iterator[tuple[str, Terms]]:
        """Swap all pairs, decode some, then let the discriminator compare."""
        swapped: Tensor = self.networks["swap"](batch["target"], batch["source"])
        terms, weights = Terms(self.options.weights), self.options.weights
        terms.add("proxy", lambda: proxy_loss(swapped, batch["proxy"], batch["quality"]))
        terms.add(
            "geometry", lambda: geometry_loss(self.frozen["geometry"], swapped, batch["target"])
        )
        on_pictures = (
            weights.identity_source,
            weights.identity_result,
            weights.proxy_picture,
            weights.perceptual,
            weights.adversarial,
        )
        judging = "discriminator" in self.networks and step >= self.options.adversarial_from
        faces = real = None
        if any(on_pictures) and step >= self.options.decode_from:
            count = max(1, round(self.options.decode_share * len(swapped)))
            some = {key: part[:count] for key, part in batch.items()}
            with self.autocast():
                faces = self._vqgan.decode(swapped[:count])
                with torch.no_grad():
                    wanted = self._vqgan.decode(some["proxy"])
                    real = self._vqgan.decode(some["target"]) if judging else None
                self._add_picture_terms(terms, faces, wanted, some)
                rise = adversarial_rise(
                    step, self.options.adversarial_from, self.options.adversarial_rise
                )
                terms.add(
                    "adversarial", lambda: fooling_loss(self.networks["discriminator"], faces), rise
                )
        yield "swap", terms
        if judging and faces is not None and real is not None:
            yield "discriminator", judging_terms(self.networks["discriminator"], real, faces)

    def _add_picture_terms(self, terms: Terms, faces: Tensor, wanted: Tensor, batch: Batch) -> None:
        """Losses of decoded results against decoded proxies and the people's identities."""
        perceptual: Any = self.frozen.get("perceptual")
        terms.add("proxy_picture", lambda: proxy_picture_loss(faces, wanted, batch["quality"]))
        terms.add("perceptual", lambda: perceptual(faces, wanted))
        terms.add("identity_source", lambda: self._identity_loss(faces, batch["source_identity"]))
        terms.add("identity_result", lambda: self._identity_loss(faces, batch["proxy_identity"]))

    def _identity_loss(self, faces: Tensor, wanted: Tensor) -> Tensor:
        """Pairs whose identity is not known (NaN) do not count."""
        assert self._recogniser is not None
        known = torch.isfinite(wanted).all(dim=1)
        if not bool(known.any()):
            return faces.sum() * 0.0
        return identity_loss(self._recogniser, faces[known], wanted[known])

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Unseen people swapped: likeness to source and target, and whether the source is found
        among all of them.
        """
        sources, targets = self._judged_frames()
        device = self.device
        source, target = (self._latents.stack(frames).to(device) for frames in (sources, targets))
        swapped = networks["swap"](target, source)
        faces = torch.cat([self._vqgan.decode(part) for part in torch.split(swapped, 8)]).clamp(
            -1, 1
        )
        metrics = {"change": float((swapped - target).abs().mean())}
        pictures = [
            np.stack([self._dataset.picture(*f) for f in frames]) for frames in (sources, targets)
        ]
        if self._recogniser is not None:
            made = self._recogniser(faces)
            real = [self._recogniser(to_tensor(p).to(device)) for p in pictures]
            metrics["identity_source"] = float((made * real[0]).sum(dim=1).mean())
            metrics["identity_target"] = float((made * real[1]).sum(dim=1).mean())
            found = (made @ real[0].T).argmax(dim=1)
            metrics["retrieval"] = float(
                (found == torch.arange(len(found), device=found.device)).float().mean()
            )
        rows = [*(p[:SHEET_PAIRS] for p in pictures), to_pictures(faces[:SHEET_PAIRS])]
        return Evaluation(
            metrics, np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
        )

    def _judged_frames(self) -> tuple[list[Frame], list[Frame]]:
        """One frame of each of up to `JUDGED_PAIRS` unseen people as source, and the next person's
        as its target.
        """
        people: dict[str, Frame] = {}
        for item in self._dataset.judged():
            frame = usable_frame(self._latents.usable(item), np.random.default_rng(0))
            if frame is not None and len(people) < JUDGED_PAIRS:
                people.setdefault(item.identity, (item, frame))
        sources = list(people.values())
        return sources, sources[1:] + sources[:1]


def _pair(
    target: Tensor,
    source: Tensor,
    proxy: Tensor,
    source_identity: Tensor,
    proxy_identity: Tensor,
    quality: float,
) -> dict[str, Tensor]:
    return {
        "target": target,
        "source": source,
        "proxy": proxy,
        "source_identity": source_identity,
        "proxy_identity": proxy_identity,
        "quality": torch.tensor(quality, dtype=torch.float32),
    }


def _floats(latents: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(latents.astype(np.float32))


def announce(what: str) -> Any:
    """Progress of a cache in words, every tenth part of it."""

    def say(done: int, total: int) -> None:
        if done == total or done % max(1, total // 10) == 0:
            print(f"{what}: {done} of {total}", flush=True)

    return say


def _aligner() -> Any:
    """Similarity from a picture to the aligned crop of its largest face."""
    from swaptalk.faces.detection.analyser import Vision
    from swaptalk.faces.geometry.pose import eye_distance

    vision = Vision(progress=False)

    def align(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        faces = vision.faces(picture)
        if not faces:
            raise InputError("a pair's picture shows no face", remedy="remove the pair")
        return estimate_alignment(max(faces, key=lambda f: eye_distance(f.points)).xy).matrix

    return align
