"""Stage ``expert``: the VQ-Lip expert learns which lips and which sound belong together, on cached
embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from swaptalk.data.augment_speech import augment_mel
from swaptalk.data.latents import LatentCache
from swaptalk.data.store import Dataset, Item
from swaptalk.data.windows import ClipWindow, WindowSampler, mel_window
from swaptalk.errors import InputError
from swaptalk.losses.terms import LossTerms
from swaptalk.models.expert import ExpertConfig, VQLipExpert
from swaptalk.training.announce import announce
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.pretrained import fingerprint, load_network
from swaptalk.training.stage import Batch, Evaluation, Stage

#: First layers, scale and shift, which AdamW trains.
OUTER_LAYERS = (r"^lips\.0\.", r"^sound\.0\.")
#: Shifts of the same clip's sound (frames) that count as out of sync; nearer ones are left out as
#: too like.
SHIFT_RANGE = (3, 15)
#: Shifts compared by the evaluation, and windows of each test clip.
JUDGED_SHIFT, JUDGED_WINDOWS = 7, 40


@dataclass(frozen=True)
class ExpertWeights:
    """Weight of each loss; 0 switches it off."""

    others: float = 1.0
    """Own sound against the sounds of the rest of the batch."""
    shifted: float = 1.0
    """Own sound against the same clip's sound some frames off."""


@dataclass(frozen=True, kw_only=True)
class ExpertOptions(LoopOptions):
    """Train the VQ-Lip expert on a finished autoencoder."""

    out: Path = Path("runs/expert")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    vqgan: Path = Path("runs/vqgan")
    """Run of 'swaptalk train vqgan', or an exported bundle."""
    model: ExpertConfig = field(default_factory=ExpertConfig)
    """Shape of the expert; latent_channels must be the autoencoder's."""
    weights: ExpertWeights = field(default_factory=ExpertWeights)
    """Weights of the losses."""
    batch_size: int = 64
    """Windows in each process's batch; experts need large ones."""
    learning_rate: float = 1e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    shifts: int = 2
    """Shifted sounds for each window."""
    sharpness: float = 0.5
    """Preference for sharp clips; 0: none."""
    embed_frames: int = 0
    """Frames of each clip to embed before the first step and learn from, spread over it; 0: all."""


class ExpertStage(Stage):
    """The expert, on lower halves and sound of trusted clips."""

    name = "expert"
    averaged = ("expert",)
    options: ExpertOptions

    def __init__(self, options: ExpertOptions) -> None:
        super().__init__(options)
        self._vqgan = load_network("vqgan", options.vqgan)
        if options.model.latent_channels != self._vqgan.config.latent_channels:
            raise InputError(
                f"its embeddings have {self._vqgan.config.latent_channels} channels",
                path=options.vqgan,
                remedy=f"give --model.latent-channels {self._vqgan.config.latent_channels}",
            )
        torch.manual_seed(options.seed)
        self.networks = {"expert": VQLipExpert(options.model)}
        self.frozen = {}
        self._dataset = Dataset(options.data, options.validation_share)
        self._latents = LatentCache(
            self._dataset, fingerprint(self._vqgan.encoder), options.embed_frames
        )
        train = trusted_clips(self._dataset)
        self._sampler = WindowSampler(
            self._latents.usable, train, options.model.frames, options.sharpness
        )
        if not self._sampler.items:
            raise InputError(
                "no clip's sound can be trusted",
                path=options.data,
                remedy="see untrusted.csv in it",
            )
        judged = trusted_clips(self._dataset, "validation") or self._sampler.items[:8]
        self._judged = WindowSampler(self._latents.usable, judged, options.model.frames, 0.0)

    def prepare(self) -> None:
        """Embeddings of the clips."""
        wanted = [*self._sampler.items, *self._judged.items]
        self._latents.build(
            wanted, self._vqgan.to(self.device), self.device, announce("embedding the data set")
        )

    def groups(self) -> dict[str, tuple[str, ...]]:
        """One group: the expert."""
        return {"expert": ("expert",)}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon for the inside, AdamW for the rest."""
        options = self.options
        return {
            "expert": build_optimizers(
                self.networks["expert"],
                options.optimizer,
                options.learning_rate,
                options.other_rate,
                OUTER_LAYERS,
            )
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        """Windows: lips (N, 5, C, 8, 16), their sound, shifted sounds (N, K, M, 80), and which are
        near each other.
        """
        windows = [self._sampler.draw(rng) for _ in range(self.options.batch_size)]
        sounds = [augment_mel(self._sound(w), rng) for w in windows]
        shifted = [
            np.stack(
                [augment_mel(self._sound(w, _shift(rng)), rng) for _ in range(self.options.shifts)]
            )
            for w in windows
        ]
        near = np.array(
            [
                [a.item == b.item and abs(a.start - b.start) < SHIFT_RANGE[0] for b in windows]
                for a in windows
            ]
        )
        return {
            "lips": torch.from_numpy(np.stack([self._lips(w) for w in windows])),
            "sound": torch.from_numpy(np.stack(sounds)),
            "shifted": torch.from_numpy(np.stack(shifted)),
            "near": torch.from_numpy(near),
        }

    def _lips(self, window: ClipWindow) -> NDArray[np.float32]:
        frames = self.options.model.frames
        return lower_halves(self._latents, window, frames)

    def _sound(self, window: ClipWindow, shift: int = 0) -> NDArray[np.float32]:
        return expert_mel(self._dataset, window.item, window.start + shift, self.options.model)

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Compare every window with every sound of the batch and with its own sound shifted."""
        expert: Any = self.networks["expert"]
        shifted = batch["shifted"]
        sounds = torch.cat([batch["sound"], shifted.flatten(0, 1)])
        lips, heard = expert.embed_lips(batch["lips"]), expert.embed_sound(sounds)
        count = len(lips)
        matching = expert.logit(lips @ heard[:count].T)
        off = expert.logit(
            (lips[:, None] * heard[count:].reshape(count, -1, heard.shape[1])).sum(dim=-1)
        )
        own = F.softplus(-matching.diagonal()).mean()
        terms = LossTerms(self.options.weights)
        terms.add("others", lambda: own + F.softplus(matching[~batch["near"]]).mean())
        terms.add("shifted", lambda: own + F.softplus(off).mean())
        terms.note("pair_accuracy", (matching.diagonal()[:, None] > off).float().mean())
        yield "expert", terms

    methods = (("expert", "embed_lips"), ("expert", "embed_sound"), ("expert", "logit"))

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Unseen people: how often sound in sync beats shifted sound, and how often a clip's offset
        is found.
        """
        expert = networks["expert"]
        return Evaluation(
            judge_expert(expert, self._dataset, self._latents, self._judged, self.device)
        )


def trusted_clips(dataset: Dataset, split: Any = "train") -> list[Item]:
    """Clips of a split whose sound fits their lips; validation and tests take real people only."""
    kinds: Any = ("real", "generated") if split == "train" else ("real",)
    return [i for i in dataset.select(split, kinds) if i.trusted]


def lower_halves(latents: LatentCache, window: ClipWindow, frames: int) -> NDArray[np.float32]:
    """Lower halves (frames, C, 8, 16) of a window's latents."""
    part = latents(window.item)[window.start : window.start + frames]
    return np.asarray(part[:, :, part.shape[2] // 2 :], np.float32)


def expert_mel(
    dataset: Dataset, item: Item, start: int, config: ExpertConfig
) -> NDArray[np.float32]:
    """The expert's mel window (mel_frames, 80) of the frames from ``start``."""
    return mel_window(dataset.mel(item), start - config.margin, config.frames + 2 * config.margin)


def judge_expert(
    expert: Any,
    dataset: Dataset,
    latents: LatentCache,
    sampler: WindowSampler,
    device: torch.device | str,
) -> dict[str, float]:
    """Accuracy of an expert over the clips of a sampler.

    ``pair_accuracy``: windows whose own sound beats the sound of the same clip 3 .. 7 frames off;
    ``offset_found``: clips whose mean cosine is highest within one frame of the right offset;
    ``cosine``: mean of windows in sync.
    """
    if not sampler.items:
        return {}
    shifts = range(-JUDGED_SHIFT, JUDGED_SHIFT + 1)
    wins: list[float] = []
    found: list[float] = []
    cosines: list[float] = []
    for item in sampler.items:
        windows = sampler.spread(item, JUDGED_WINDOWS)
        lips = np.stack([lower_halves(latents, w, expert.config.frames) for w in windows])
        embedded = expert.embed_lips(torch.from_numpy(lips).to(device))
        curve = []
        for shift in shifts:
            mel = np.stack(
                [expert_mel(dataset, item, w.start + shift, expert.config) for w in windows]
            )
            heard = expert.embed_sound(torch.from_numpy(mel).to(device))
            curve.append((embedded * heard).sum(dim=1).cpu())
        table: Tensor = torch.stack(curve)  # (shifts, windows)
        right = table[JUDGED_SHIFT]
        far = table[[k for k, s in enumerate(shifts) if abs(s) >= SHIFT_RANGE[0]]]
        wins.append(float((right > far).float().mean()))
        found.append(float(abs(int(table.mean(dim=1).argmax()) - JUDGED_SHIFT) <= 1))
        cosines.append(float(right.mean()))
    return {
        "pair_accuracy": float(np.mean(wins)),
        "offset_found": float(np.mean(found)),
        "cosine": float(np.mean(cosines)),
    }


def _shift(rng: np.random.Generator) -> int:
    """A shift that is clearly out of sync, either way."""
    return int(rng.integers(SHIFT_RANGE[0], SHIFT_RANGE[1] + 1)) * (1 if rng.random() < 0.5 else -1)
