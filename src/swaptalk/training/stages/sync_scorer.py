"""Stage ``sync-scorer``: the sync network of the evaluation reports learns which mouth pixels
belong to which sound.

It is trained apart from everything else and must never enter a loss: what is optimised against a
judge fools it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from swaptalk.data.augment_speech import augment_mel
from swaptalk.data.mouth_views import MouthViews
from swaptalk.data.store import Dataset, Item
from swaptalk.data.windows import ClipWindow, WindowSampler, mel_window
from swaptalk.errors import InputError
from swaptalk.faces.geometry.mouth_view import VIEW_HEIGHT, VIEW_WIDTH
from swaptalk.losses.terms import LossTerms
from swaptalk.metrics.own_sync import OwnSyncScorer
from swaptalk.metrics.sync_offset import SyncScore
from swaptalk.models.sync_scorer import SyncScorerConfig, SyncScorerNetwork
from swaptalk.training.announce import announce
from swaptalk.training.optimizers import build_optimizers
from swaptalk.training.options import LoopOptions
from swaptalk.training.pretrained import load_network
from swaptalk.training.stage import Batch, Evaluation, Stage
from swaptalk.training.sync_trial import try_scorer

#: First layers, last layers and scale, which AdamW trains.
OUTER_LAYERS = (r"^frames\.1\.", r"^lips\.3\.", r"^sound\.0\.", r"^sound\.9\.")
#: Windows this near to each other (frames) are too like to be told apart, so they do not count as
#: wrong answers.
NEAR = 1
#: Augmentation: largest shift in pixels of the view, change of size, of contrast and of brightness
#: (of 1), share of softened segments and their largest blur in pixels. Generated mouths are often
#: soft; softness must not decide.
SHIFT_PIXELS, SCALE, CONTRAST, BRIGHTNESS, SOFT_SHARE, SOFT_SIGMA = 3.0, 0.06, 0.3, 0.2, 0.4, 1.2
#: An earlier network is believed about a clip if its confidence is above this share of those of
#: foreign sound; each clip is given the sound of the clips so many places further on.
BELIEVED_QUANTILE, FOREIGN_STEPS = 0.95, (7, 11, 13)


@dataclass(frozen=True)
class SyncScorerWeights:
    """Weight of each loss."""

    lips: float = 1.0
    """Find the sound of a window of lips among the sounds of its segment."""
    sound: float = 1.0
    """Find the lips of a window of sound among the lips of its segment."""


@dataclass(frozen=True, kw_only=True)
class SyncScorerOptions(LoopOptions):
    """Train the sync network that reports use."""

    out: Path = Path("runs/sync-scorer")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    model: SyncScorerConfig = field(default_factory=SyncScorerConfig)
    """Shape of the network."""
    weights: SyncScorerWeights = field(default_factory=SyncScorerWeights)
    """Weights of the losses."""
    frames: int = 60
    """Frames of a segment; all windows in it are compared with each other."""
    batch_size: int = 8
    """Segments in each process's batch."""
    learning_rate: float = 2e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    align_by: Path | None = None
    """Earlier run that aligns each clip's sound; without it, clips that needed no correction."""
    sharpness: float = 0.3
    """Preference for sharp clips; 0: none."""


class SyncScorerStage(Stage):
    """The sync network, on mouth views and sound of training clips, real and generated."""

    name = "sync-scorer"
    averaged = ("scorer",)
    options: SyncScorerOptions

    def __init__(self, options: SyncScorerOptions) -> None:
        super().__init__(options)
        torch.manual_seed(options.seed)
        self.networks = {"scorer": SyncScorerNetwork(options.model)}
        self.frozen = {}
        self._earlier = (
            None if options.align_by is None else load_network("scorer", options.align_by)
        )
        self._dataset = Dataset(options.data, options.validation_share)
        self._views = MouthViews(self._dataset)
        items = [i for i in self._dataset.select("train", ("real", "generated")) if i.sound]
        if self._earlier is None:
            items = [i for i in items if fits_as_it_is(i)]
        self._sampler = WindowSampler(
            self._dataset.usable, items, options.frames, options.sharpness
        )
        if not self._sampler.items:
            raise InputError(
                f"no clip with trusted sound has {options.frames} usable frames in a row",
                path=options.data,
                remedy="see untrusted.csv in it, or give fewer --frames",
            )
        self._judged = [
            i for i in self._dataset.select("validation", ("real",)) if i.sound
        ] or self._sampler.items[:8]
        self._offsets: dict[str, int] = {}

    def prepare(self) -> None:
        """Mouth views of the data set, and where each clip's sound fits best."""
        self._views.build([*self._sampler.items, *self._judged], announce("cutting out mouths"))
        if self._earlier is None:
            return
        believed = believed_offsets(
            OwnSyncScorer(self._earlier), self._sampler.items, self._views, self._dataset
        )
        self._offsets = believed
        self._sampler = WindowSampler(
            self._dataset.usable,
            [i for i in self._sampler.items if i.name in believed],
            self.options.frames,
            self.options.sharpness,
        )

    def groups(self) -> dict[str, tuple[str, ...]]:
        """One group: the network."""
        return {"scorer": ("scorer",)}

    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Muon for the inside, AdamW for the rest."""
        options = self.options
        return {
            "scorer": build_optimizers(
                self.networks["scorer"],
                options.optimizer,
                options.learning_rate,
                options.other_rate,
                OUTER_LAYERS,
            )
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        """Segments: mouth views (N, T, 48, 96) in -1..1 and log-mel (N, 4 T, 80)."""
        segments = [self._sampler.draw(rng) for _ in range(self.options.batch_size)]
        views = np.stack([augment_views(self._pictures(s), rng) for s in segments])
        sounds = np.stack([augment_mel(self._sound(s), rng) for s in segments])
        return {"views": torch.from_numpy(views), "mel": torch.from_numpy(sounds)}

    def _pictures(self, segment: ClipWindow) -> NDArray[np.uint8]:
        return self._views(segment.item)[segment.start : segment.start + self.options.frames]

    def _sound(self, segment: ClipWindow) -> NDArray[np.float32]:
        start = segment.start - self._offsets.get(segment.item.name, 0)
        return mel_window(self._dataset.mel(segment.item), start, self.options.frames)

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """In every segment, each window's partner must be found among all windows (InfoNCE, van den
        Oord et al. 2018).

        Wrong answers come from the same segment alone: between people, a voice would betray a face
        without any lips.
        """
        logits = self.networks["scorer"](batch["views"], batch["mel"])
        count = logits.shape[1]
        right = torch.arange(count, device=logits.device)
        distance = (right[:, None] - right[None]).abs()
        logits = logits.masked_fill((distance > 0) & (distance <= NEAR), -torch.inf)
        target = right.expand(len(logits), -1)
        terms = LossTerms(self.options.weights)
        terms.add("lips", lambda: F.cross_entropy(logits.transpose(1, 2), target))
        terms.add("sound", lambda: F.cross_entropy(logits, target))
        terms.note("found", ((logits.argmax(dim=2) - target).abs() <= NEAR + 1).float().mean())
        yield "scorer", terms

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Real clips of unseen people with the sound as it was recorded: see `try_scorer`."""
        network: Any = networks["scorer"]
        scorer = OwnSyncScorer(network, self.device)
        clips = [(i.identity, self._views(i), recorded_mel(self._dataset, i)) for i in self._judged]
        return Evaluation(try_scorer(scorer, clips).metrics())


def fits_as_it_is(item: Item) -> bool:
    """Whether a clip's lips and loudness go together without any correction of the sound, which
    errs in short clips.
    """
    return item.trusted and item.offset == 0


def recorded_mel(dataset: Dataset, item: Item) -> NDArray[np.float32]:
    """Log-mel (4 * count, 80) of a clip's sound before any correction of its offset."""
    return mel_window(dataset.mel(item), item.offset, item.count)


def believed_offsets(
    scorer: OwnSyncScorer, items: list[Item], views: MouthViews, dataset: Dataset
) -> dict[str, int]:
    """Frames by which each clip's sound is to be delayed, for the clips whose sound fits somewhere.

    Which confidence speaks for that is learned from foreign sound, which fits nowhere.

    Raises:
        InputError: no clip is left.
    """
    say = announce("aligning the sound")
    found: dict[str, SyncScore] = {}
    foreign: list[float] = []
    for done, item in enumerate(items, 1):
        lips = scorer.embed_views(views(item))
        others = [items[(done + step) % len(items)] for step in FOREIGN_STEPS]
        try:
            found[item.name] = scorer.score(lips, scorer.embed_mel(dataset.mel(item)))
            for other in (o for o in others if o.identity != item.identity):
                sound = scorer.embed_mel(np.resize(dataset.mel(other), dataset.mel(item).shape))
                foreign.append(scorer.score(lips, sound).confidence)
        except ValueError:  # too short to be shifted
            found.pop(item.name, None)
        say(done, len(items))
    least = float(np.quantile(foreign, BELIEVED_QUANTILE)) if foreign else 0.0
    believed = {name: score.offset for name, score in found.items() if score.confidence > least}
    if not believed:
        raise InputError("the earlier run finds no clip in sync", remedy="train it longer")
    return believed


def augment_views(views: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """A variation of a segment's views (T, 48, 96), the same for every frame, in about -1..1."""
    mirrored = -1.0 if rng.random() < 0.5 else 1.0
    scale = 1 + rng.uniform(-SCALE, SCALE)
    shift = rng.uniform(-SHIFT_PIXELS, SHIFT_PIXELS, 2)
    centre = np.array([(VIEW_WIDTH - 1) / 2, (VIEW_HEIGHT - 1) / 2])
    linear = np.diag([mirrored * scale, scale])
    matrix = np.concatenate([linear, (centre + shift - linear @ centre)[:, None]], axis=1)
    soft = rng.uniform(0.3, SOFT_SIGMA) if rng.random() < SOFT_SHARE else 0.0
    contrast, brightness = (
        1 + rng.uniform(-CONTRAST, CONTRAST),
        rng.uniform(-BRIGHTNESS, BRIGHTNESS),
    )
    changed = np.empty(views.shape, np.float32)
    for index, view in enumerate(views):
        moved = cv2.warpAffine(
            view, matrix, (VIEW_WIDTH, VIEW_HEIGHT), borderMode=cv2.BORDER_REFLECT_101
        )
        changed[index] = cv2.GaussianBlur(moved, (0, 0), soft) if soft else moved
    return np.asarray((changed / 127.5 - 1) * contrast + brightness, np.float32)
