"""Stage ``mel-encoder``: hearing how a mouth moves, from real mouths and from a speech recogniser.

Little speech shows the lips that belong to it, so the mel encoder also learns to foresee what
Whisper's encoder makes of any speech, in the manner of DistilHuBERT (Chang et al. 2021, arXiv
2110.01900), and the motion that a small network reads from that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from swaptalk.data.heard_sync import LARGEST, believed_shifts, opening_correlations
from swaptalk.data.motion import MotionTable
from swaptalk.data.recognised_speech import RecognisedSpeech
from swaptalk.data.speech import SpeechSampler
from swaptalk.data.store import Dataset, Item
from swaptalk.errors import InputError
from swaptalk.losses.motion import (
    add_motion_losses,
    correlation_loss,
    rest_loss,
    token_loss,
)
from swaptalk.losses.terms import LossTerms
from swaptalk.models.audio import AudioConfig, MelEncoder
from swaptalk.models.motion_head import MotionHead, MotionHeadConfig
from swaptalk.training.announce import announce
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.pretrained import load_network, motion_statistics
from swaptalk.training.stage import Batch, Evaluation, Stage
from swaptalk.training.stages.expert import trusted_clips
from swaptalk.training.stages.lipsync_options import SpeechWeights

#: First and last layers of the mel encoder, which AdamW trains.
OUTER_LAYERS = (r"^stem\.", r"^output\.")


@dataclass(frozen=True)
class HearingWeights(SpeechWeights):
    """Weight of each loss of the mel encoder: those of measured motion, and what it is taught."""

    features: float = 1.0
    """What the recogniser makes of the sound."""
    taught_token: float = 1.0
    """Values of the tokens that the teacher hears."""
    taught_correlation: float = 0.3
    """Opening in step with the teacher's."""
    rest: float = 1.0
    """A mouth that rests in pauses, whatever noise is heard there."""


@dataclass(frozen=True, kw_only=True)
class MelEncoderOptions(LoopOptions):
    """Train the mel encoder on real mouths and on what a speech recogniser hears."""

    out: Path = Path("runs/mel-encoder")
    """Folder of the run: checkpoint, CSV files. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    lipsync: Path = Path("runs/lipsync")
    """Run of 'train lipsync', or a bundle: keeps its tokens' scale, asks it which clips fit."""
    recogniser: Literal["whisper-base", "none"] = "whisper-base"
    """Pinned file of the speech recogniser; none: learn from real mouths alone."""
    audio: AudioConfig = field(default_factory=AudioConfig)
    """Shape of the mel encoder."""
    head: MotionHeadConfig = field(default_factory=MotionHeadConfig)
    """Shape of the teacher."""
    weights: HearingWeights = field(default_factory=HearingWeights)
    """Weights of the mel encoder's losses."""
    teacher: SpeechWeights = field(default_factory=SpeechWeights)
    """Weights of the teacher's losses."""
    batch_size: int = 40
    """Stretches of speech in each process's batch."""
    tokens: int = 120
    """Length of a stretch, 25 tokens a second."""
    paused_share: float = 0.5
    """Share of stretches in which some speech gives way to the noise of a room."""
    learning_rate: float = 3e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    other_rate: float = 1e-3
    """Rate of AdamW for what Muon does not train."""
    teacher_rate: float = 8e-4
    """Rate of AdamW for the teacher."""
    teacher_steps: int = 600
    """Steps that the teacher learns for before the mel encoder listens to it."""
    evaluate_every: int = 250
    """Steps between evaluations, with one at the end; 0: only that one."""

    def files(self) -> tuple[str, ...]:
        """Speech recogniser."""
        return () if self.recogniser == "none" else (self.recogniser,)


class MelEncoderStage(Stage):
    """The mel encoder; beside it the network that foresees the recogniser's features, and the
    teacher that reads motion from them.
    """

    name = "mel-encoder"
    averaged: tuple[str, ...] = ("audio", "teacher")
    methods = (("audio", "hidden"), ("audio", "tokens"))
    options: MelEncoderOptions

    def __init__(self, options: MelEncoderOptions) -> None:
        super().__init__(options)
        torch.manual_seed(options.seed)
        self.networks = {"audio": MelEncoder(options.audio)}
        self._taught = options.recogniser != "none"
        self.averaged = ("audio", "teacher") if self._taught else ("audio",)
        if self._taught:
            self.networks["teacher"] = MotionHead(options.head)
            self.networks["foresight"] = nn.Linear(options.audio.width, options.head.features)
        self.frozen = {}
        self._earlier: MelEncoder = load_network("audio", options.lipsync)
        self._dataset = Dataset(options.data, options.validation_share)
        self._motion = MotionTable(self._dataset)
        self._recognised = RecognisedSpeech(self._dataset) if self._taught else None
        self._mean = self._spread = self._rest = torch.zeros(0)

    def prepare(self) -> None:
        """Measure mouths, find the clips that are in sync, and let the recogniser listen."""
        options = self.options
        self._motion.build(announce("measuring mouths"))
        self._motion.statistics = motion_statistics(options.lipsync)
        self._rest = torch.from_numpy(self._motion.statistics.silence)
        clips = [i for i in self._dataset.select("train", ("real", "generated")) if i.sound]
        judged = [
            i for i in self._dataset.select("validation", ("real", "generated")) if i.sound
        ] or clips[:8]
        listen = announce("listening to the clips")
        every = list({i.name: i for i in [*clips, *judged]}.values())
        shifts = believed_shifts(every, self._motion, self._heard_earlier, listen)
        shifts |= {i.name: 0 for i in trusted_clips(self._dataset) if i.name not in shifts}
        if not any(i.name in shifts for i in clips):
            raise InputError(
                "no clip in it is in sync", path=options.data, remedy="prepare clips with sound"
            )
        if self._recognised is not None:
            self._recognised.build(every, announce("recognising speech"))
            mean, spread = self._recognised.scale(clips)
            self._mean, self._spread = torch.from_numpy(mean), torch.from_numpy(spread)
        else:
            clips = [i for i in clips if i.name in shifts]
        self._sampler = SpeechSampler(
            self._dataset,
            self._motion,
            clips,
            options.tokens,
            shifts,
            self._recognised,
            options.paused_share,
        )
        self._judged = [i for i in judged if i.name in shifts] or judged

    def _heard_earlier(self, item: Item) -> NDArray[np.float32]:
        """Tokens (count, D) that the earlier mel encoder hears in a clip."""
        with torch.inference_mode():
            heard = self._earlier(torch.from_numpy(self._dataset.mel(item)[None]))[0]
        return np.asarray(heard.float().numpy(), np.float32)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """The mel encoder with its foresight, and the teacher."""
        if not self._taught:
            return {"hearing": ("audio",)}
        return {"hearing": ("audio", "foresight"), "teacher": ("teacher",)}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon inside the mel encoder, AdamW for the rest."""
        options, rate = self.options, self.options.teacher_rate
        hearing = build_optimizers(
            self.networks["audio"],
            options.optimizer,
            options.learning_rate,
            options.other_rate,
            OUTER_LAYERS,
        )
        if not self._taught:
            return {"hearing": hearing}
        other = options.other_rate
        hearing += build_optimizers(self.networks["foresight"], "adamw", other, other)
        return {
            "hearing": hearing,
            "teacher": build_optimizers(self.networks["teacher"], "adamw", rate, rate),
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        """Stretches of speech, see `SpeechSampler.draw`."""
        return self._sampler.draw(rng, self.options.batch_size)

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Measured motion for both networks; the recogniser's features, and after some steps the
        teacher's motion, for the mel encoder.
        """
        real, known = batch["tokens"], batch["known"]
        features = None
        if self._taught:
            features = self._normalized(batch["features"])
            if step < self.options.teacher_steps:
                heard = self.networks["teacher"](features)
                terms = LossTerms(self.options.teacher)
                add_motion_losses(terms, heard, real, known)
                yield "teacher", terms
        hidden = self.networks["audio"].hidden(batch["mel"])  # type: ignore[operator]
        made = self.networks["audio"].tokens(hidden)  # type: ignore[operator]
        terms = LossTerms(self.options.weights)
        add_motion_losses(terms, made, real, known)
        rest = self._rest.to(made.device)
        terms.add("rest", lambda: rest_loss(made, rest, batch["resting"]))
        if features is not None:
            heard_at = batch["heard"]
            wanted = features
            terms.add(
                "features",
                lambda: _features_loss(self.networks["foresight"](hidden), wanted, heard_at),
            )
            if step >= self.options.teacher_steps:
                taught = self._taught_tokens(features)
                terms.add("taught_token", lambda: token_loss(made, taught, heard_at))
                terms.add("taught_correlation", lambda: correlation_loss(made, taught, heard_at))
        yield "hearing", terms

    def _normalized(self, features: Tensor) -> Tensor:
        mean, spread = self._mean.to(features.device), self._spread.to(features.device)
        return (features - mean) / spread

    def _taught_tokens(self, features: Tensor) -> Tensor:
        """Tokens that the teacher hears, without its augmentation."""
        teacher = self.networks["teacher"]
        teacher.eval()
        with torch.no_grad():
            tokens: Tensor = teacher(features)
        teacher.train()
        return tokens

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Unseen people: correlation in time of the opening with the measured one, of mel encoder
        and teacher, at the shift at which it fits best.
        """
        sums: dict[str, list[float]] = {}
        for item in self._judged:
            mel = torch.from_numpy(self._dataset.mel(item)[None]).to(self.device)
            heard = {"hearing": networks["audio"](mel)}
            if self._recognised is not None:
                features = torch.from_numpy(self._recognised(item).astype(np.float32))[None]
                heard["teacher"] = networks["teacher"](self._normalized(features.to(self.device)))
            known = np.asarray(np.isfinite(self._motion.raw(item)).all(axis=1), np.bool_)
            for name, tokens in heard.items():
                found = opening_correlations(
                    tokens[0].float().cpu().numpy(), self._motion.tokens(item), known
                )
                near = [value for shift, value in found.items() if abs(shift) <= LARGEST]
                if near:
                    sums.setdefault(f"{name}_{item.kind}", []).append(max(near))
        return Evaluation({name: float(np.mean(values)) for name, values in sums.items()})


def _features_loss(made: Tensor, wanted: Tensor, heard: Tensor) -> Tensor:
    """Smooth L1 of features (N, T, F) where ``heard`` (N, T) is 1; a scalar."""
    apart = F.smooth_l1_loss(made.float(), wanted.float(), reduction="none").mean(dim=2)
    return (apart * heard).sum() / heard.sum().clamp(min=1)
