"""Stage ``lipsync``: motion to picture from every moving mouth, sound to motion from synchronous
speech.

Both halves share the motion tokens. Later a share of the pictures is
driven by the sound itself, so that L_code and L_sync reach the mel encoder as they do in the paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from swaptalk.assets import catalogue
from swaptalk.data.faces import to_pictures
from swaptalk.data.frames import Frame
from swaptalk.data.latents import LatentCache
from swaptalk.data.motion import MotionTable, window
from swaptalk.data.mouths import MouthSampler, moving
from swaptalk.data.row_table import FrameTable, Rows
from swaptalk.data.speech import SpeechSampler
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.losses.code import code_loss
from swaptalk.losses.geometry import geometry_loss
from swaptalk.losses.lpips import LPIPS
from swaptalk.losses.motion import add_motion_losses
from swaptalk.losses.mouth import mouth, mouth_loss, mouth_perceptual_loss
from swaptalk.losses.sync import sync_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.media.mel import MELS_PER_PICTURE
from swaptalk.models.audio import MelEncoder
from swaptalk.models.discriminator import PatchDiscriminator
from swaptalk.models.expert import VQLipExpert
from swaptalk.models.lipsync import LipSync
from swaptalk.models.vqgan import VQGAN
from swaptalk.training.adversary import adversarial_rise, fooling_loss, judging_terms
from swaptalk.training.announce import announce
from swaptalk.training.checkpoint import CHECKPOINT_NAME
from swaptalk.training.geometry import geometry_regressor
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.pretrained import fingerprint, load_network, measured_by, motion_statistics
from swaptalk.training.stage import Batch, Evaluation, Stage
from swaptalk.training.stages.expert import trusted_clips
from swaptalk.training.stages.lipsync_options import LipSyncOptions

#: First and last layers of the picture side, which AdamW trains.
OUTER_LAYERS = ("stem", r"\.offset", "time", r"^output\.")
#: Frames of sound around the targets that the mel encoder hears when it drives a picture.
CONTEXT = 10
#: Clips, and frames of each, that the evaluation looks at; columns of the sample sheet.
JUDGED_CLIPS, JUDGED_FRAMES, SHEET_FRAMES = 12, 8, 8
#: Stages of VGG-16 in the mouth's perceptual loss.
LPIPS_STAGES = 4


class LipSyncStage(Stage):
    """Lip-sync module and mel encoder; autoencoder and expert frozen."""

    name = "lipsync"
    averaged = ("lipsync", "audio")
    options: LipSyncOptions

    def __init__(self, options: LipSyncOptions) -> None:
        super().__init__(options)
        self._vqgan: VQGAN = load_network("vqgan", options.vqgan)
        if options.model.latent_channels != self._vqgan.config.latent_channels:
            raise InputError(
                f"its embeddings have {self._vqgan.config.latent_channels} channels",
                path=options.vqgan,
                remedy=f"give --model.latent-channels {self._vqgan.config.latent_channels}",
            )
        torch.manual_seed(options.seed)
        self.networks = {"lipsync": LipSync(options.model), "audio": MelEncoder(options.audio)}
        if options.weights.adversarial:
            self.networks["discriminator"] = PatchDiscriminator(options.discriminator)
        self.frozen = {"vqgan": self._vqgan}
        self._expert: VQLipExpert | None = None
        if options.weights.sync:
            self._expert = load_network("expert", options.expert)
            self.frozen["expert"] = self._expert
        if options.weights.mouth_perceptual:
            self.frozen["lpips"] = LPIPS("vgg", catalogue.resolve("lpips-vgg16"), LPIPS_STAGES)
        self._dataset = Dataset(options.data, options.validation_share)
        self._latents = LatentCache(
            self._dataset, fingerprint(self._vqgan.encoder), options.embed_frames
        )
        self._motion = MotionTable(self._dataset)

    def prepare(self) -> None:
        """Motion of the data set, and embeddings of what the picture side learns from; sound needs
        none.
        """
        options = self.options
        self._motion.build(announce("measuring mouths"))
        for run in (None if options.restart else options.out, options.start_from):
            if run is None:
                continue
            bundled = (run / BUNDLE_NAME).exists()
            if bundled or (run / CHECKPOINT_NAME).exists():
                # Other clips, the same scale of the tokens.
                if bundled or measured_by(run) == self._motion.fingerprint:
                    self._motion.statistics = motion_statistics(run)
                break
        frames = self._expert.config.frames if self._expert is not None else 1
        self._mouths = MouthSampler(
            self._dataset,
            self._latents.usable,
            self._motion,
            frames,
            options.model.motion_window,
            CONTEXT,
            options.photo_share,
            options.sharpness,
        )
        self._speech = SpeechSampler(
            self._dataset, self._motion, trusted_clips(self._dataset), options.speech_tokens
        )
        clips = trusted_clips(self._dataset, "validation") or trusted_clips(self._dataset)
        self._judged = [i for i in clips if moving(i, self._motion)][:JUDGED_CLIPS]
        wanted = [*self._mouths.items, *self._judged]
        self._latents.build(
            wanted, self._vqgan.to(self.device), self.device, announce("embedding the data set")
        )
        self._embeddings = FrameTable("latents", self._mouths.items, self._embedding)
        if options.resident:
            usable = [
                self._embeddings.number((item, int(k)))
                for item in self._mouths.items
                for k in np.flatnonzero(self._latents.usable(item))
            ]
            say = announce("reading embeddings")
            self._embeddings.keep(self.device, options.threads, usable, say)
        if options.weights.geometry:
            self.frozen["geometry"] = geometry_regressor(
                self._latents,
                self._motion,
                self._mouths.items,
                options.geometry_steps,
                options.seed,
                self.device,
            )

    def extra_state(self) -> dict[str, Any]:
        """Scale of the motion tokens and the token of silence, which the bundle needs."""
        statistics = self._motion.statistics
        assert statistics is not None
        scale = {name: value.tolist() for name, value in vars(statistics).items()}
        return {"motion": scale, "lips": self._motion.fingerprint}

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Picture side, sound side and discriminator."""
        judge = {"discriminator": ("discriminator",)} if "discriminator" in self.networks else {}
        return {"picture": ("lipsync",), "speech": ("audio",), **judge}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon inside the picture side; AdamW for its rest, the small mel encoder and the
        discriminator.
        """
        options, rate = self.options, self.options.other_rate
        chosen = {
            "picture": build_optimizers(
                self.networks["lipsync"],
                options.optimizer,
                options.learning_rate,
                rate,
                OUTER_LAYERS,
            ),
            "speech": build_optimizers(
                self.networks["audio"], "adamw", options.speech_rate, options.speech_rate
            ),
        }
        if "discriminator" in self.networks:
            chosen["discriminator"] = build_optimizers(
                self.networks["discriminator"], "adamw", rate, rate
            )
        return chosen

    def batch(self, rng: np.random.Generator) -> Batch:
        """Samples of both sides."""
        speech = self._speech.draw(rng, self.options.speech_batch)
        samples = self._mouths.draw(rng, self.options.batch_size)
        frames = [frame for sample in samples for frame in (*sample.targets, sample.reference)]
        return {
            **self._embeddings.pick([self._embeddings.number(frame) for frame in frames]),
            "tokens": torch.from_numpy(np.stack([sample.tokens for sample in samples])),
            "mel": torch.from_numpy(np.stack([sample.mel for sample in samples])),
            "heard": torch.tensor([sample.heard for sample in samples]),
            **{f"speech_{name}": value for name, value in speech.items()},
        }

    def _embedding(self, frame: Frame) -> Rows:
        return {"latents": torch.tensor(self._latents(frame[0])[frame[1]])}

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Move mouths as measured, or as heard; predict motion from sound; then let the
        discriminator compare.
        """
        latents = self._embeddings.rows(batch)["latents"].float()
        latents = latents.reshape(len(batch["heard"]), -1, *latents.shape[1:])
        batch = {**batch, "target": latents[:, :-1], "reference": latents[:, -1]}
        tokens = self._tokens(batch, step)
        made = self._move(batch, tokens)
        faces = self._decode_some(made, batch["target"], step)
        yield "picture", self._picture_terms(batch, made, faces, step)
        predicted = self.networks["audio"](batch["speech_mel"])
        real, known = batch["speech_tokens"], batch["speech_known"]
        terms = LossTerms(self.options.speech)
        add_motion_losses(terms, predicted, real, known)
        yield "speech", terms
        if (
            faces is not None
            and "discriminator" in self.networks
            and step >= self.options.adversarial_from
        ):
            yield (
                "discriminator",
                judging_terms(self.networks["discriminator"], mouth(faces[1]), mouth(faces[0])),
            )

    def _tokens(self, batch: Batch, step: int) -> Tensor:
        """Motion windows (N, F, W, D): measured with noise, or predicted from the sound."""
        measured = batch["tokens"]
        tokens = measured + self.options.token_noise * torch.randn_like(measured)
        if step < self.options.driven_from or not self.options.driven_share:
            return tokens
        draw = torch.rand(len(tokens), device=tokens.device) < self.options.driven_share
        driven = draw & batch["heard"]
        # The mel encoder runs even where nobody is driven: processes that train together must do
        # the same work.
        heard = self.networks["audio"](batch["mel"])
        width, frames = tokens.shape[2], tokens.shape[1]
        first = CONTEXT - width // 2
        windows = torch.stack(
            [heard[:, first + k : first + k + width] for k in range(frames)], dim=1
        )
        return torch.where(driven[:, None, None, None], windows, tokens)

    def _move(self, batch: Batch, tokens: Tensor) -> Tensor:
        """Latents (N, F, C, 16, 16) with new lower halves."""
        target = batch["target"]
        frames = target.shape[1]
        reference = batch["reference"][:, None].expand(-1, frames, -1, -1, -1)
        made: Tensor = self.networks["lipsync"](
            target.flatten(0, 1), reference.flatten(0, 1), tokens.flatten(0, 1)
        )
        return made.reshape(-1, frames, *made.shape[1:])

    def _decode_some(self, made: Tensor, target: Tensor, step: int) -> tuple[Tensor, Tensor] | None:
        """Pictures (n, 3, 256, 256) of a share of the frames, made and real; None while no
        picture loss is on.
        """
        weights = self.options.weights
        if step < self.options.decode_from or not (
            weights.mouth or weights.mouth_perceptual or weights.adversarial
        ):
            return None
        frames = target.shape[0] * target.shape[1]
        picked = torch.randperm(frames)[: max(1, round(self.options.decode_share * frames))].to(
            target.device
        )
        with self.autocast():
            faces = self._vqgan.decode(made.flatten(0, 1)[picked])
            with torch.no_grad():
                real = self._vqgan.decode(target.flatten(0, 1)[picked])
        return faces, real

    def _picture_terms(
        self, batch: Batch, made: Tensor, faces: tuple[Tensor, Tensor] | None, step: int
    ) -> LossTerms:
        options, target = self.options, batch["target"]
        terms = LossTerms(options.weights)
        half = target.shape[3] // 2
        lower = made[:, :, :, half:]
        terms.add(
            "code", lambda: code_loss(lower.flatten(0, 1), target[:, :, :, half:].flatten(0, 1))
        )
        terms.add(
            "geometry",
            lambda: geometry_loss(
                self.frozen["geometry"], made.flatten(0, 1), target.flatten(0, 1)
            ),
        )
        if faces is not None:
            with self.autocast():
                terms.add("mouth", lambda: mouth_loss(*faces))
                terms.add("mouth_perceptual", lambda: self._perceptual(*faces))
                rise = adversarial_rise(step, options.adversarial_from, options.adversarial_rise)
                terms.add(
                    "adversarial",
                    lambda: fooling_loss(self.networks["discriminator"], mouth(faces[0])),
                    rise,
                )
        heard = batch["heard"]
        if self._expert is not None and step >= options.sync_from and bool(heard.any()):
            terms.add("sync", lambda: self._sync(lower[heard], batch["mel"][heard]))
        return terms

    def _perceptual(self, faces: Tensor, real: Tensor) -> Tensor:
        lpips: Any = self.frozen["lpips"]
        return mouth_perceptual_loss(lpips, faces, real)

    def _sync(self, lower: Tensor, mel: Tensor) -> Tensor:
        assert self._expert is not None
        first = MELS_PER_PICTURE * (CONTEXT - self._expert.config.margin)
        return sync_loss(
            self._expert, lower, mel[:, first : first + self._expert.config.mel_frames]
        )

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Unseen people: embeddings driven by measured motion and by sound, and how the opening
        follows the sound.
        """
        if not self._judged:
            return Evaluation()
        sums: dict[str, list[float]] = {}
        sheet = None
        for item in self._judged:
            results, rows = self._judge(item, networks)
            for name, value in results.items():
                sums.setdefault(name, []).append(value)
            sheet = rows if sheet is None else sheet
        return Evaluation({name: float(np.nanmean(values)) for name, values in sums.items()}, sheet)

    def _judge(self, item: Item, networks: dict[str, nn.Module]) -> tuple[dict[str, float], Any]:
        frames = np.flatnonzero(self._latents.usable(item))
        picked = frames[
            np.linspace(0, len(frames) - 1, min(JUDGED_FRAMES, len(frames))).astype(int)
        ]
        latents = self._latents(item)
        target = torch.from_numpy(latents[picked].astype(np.float32)).to(self.device)
        reference = torch.from_numpy(
            latents[np.repeat(frames[:1], len(picked))].astype(np.float32)
        ).to(self.device)
        mel = torch.from_numpy(self._dataset.mel(item)[None]).to(self.device)
        heard = networks["audio"](mel)[0].float().cpu().numpy()
        measured = self._motion.tokens(item)
        width, half = self.options.model.motion_window, target.shape[2] // 2
        made = {}
        for name, tokens in (("measured", measured), ("heard", heard)):
            motion = torch.from_numpy(np.stack([window(tokens, int(k), width) for k in picked])).to(
                self.device
            )
            made[name] = networks["lipsync"](target, reference, motion)
        copied = torch.cat([target[:, :, :half], reference[:, :, half:]], dim=2)
        results = {
            f"code_{name}": float(code_loss(z[:, :, half:], target[:, :, half:]))
            for name, z in {**made, "reference": copied}.items()
        }
        known = np.asarray(np.isfinite(self._motion.raw(item)).all(axis=1), np.bool_)
        openings = [
            t[: len(known)][known, :ABSOLUTE_CHANNELS].mean(axis=1) for t in (measured, heard)
        ]
        if min(map(np.std, openings)) > 0:
            results["opening_correlation"] = float(np.corrcoef(*openings)[0, 1])
        results["opening_spread"] = float(
            np.std(openings[1]) / max(float(np.std(openings[0])), 1e-6)
        )
        rows = [target, reference, made["measured"], made["heard"]]
        pictures = [to_pictures(self._vqgan.decode(z[:SHEET_FRAMES])) for z in rows]
        return results, np.concatenate([np.concatenate(list(row), axis=1) for row in pictures])
