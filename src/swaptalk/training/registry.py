"""The stages of training by name, each imported only when it is used."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from swaptalk.training.options import LoopOptions
from swaptalk.training.stage import Stage


@dataclass(frozen=True)
class StageEntry:
    """Where a stage lives; imported only when it is called."""

    summary: str
    module: str
    options: str
    stage: str


STAGES: dict[str, StageEntry] = {
    "vqgan": StageEntry(
        "the face autoencoder; comes first",
        "swaptalk.training.stages.vqgan",
        "VQGANOptions",
        "VQGANStage",
    ),
    "expert": StageEntry(
        "the judge of lips and sound; needs an autoencoder",
        "swaptalk.training.stages.expert",
        "ExpertOptions",
        "ExpertStage",
    ),
    "swap": StageEntry(
        "face swapping; needs an autoencoder",
        "swaptalk.training.stages.swap",
        "SwapOptions",
        "SwapStage",
    ),
    "lipsync": StageEntry(
        "lip-sync; needs an autoencoder and an expert",
        "swaptalk.training.stages.lipsync",
        "LipSyncOptions",
        "LipSyncStage",
    ),
    "mel-encoder": StageEntry(
        "hearing how a mouth moves; needs a lip-sync",
        "swaptalk.training.stages.mel_encoder",
        "MelEncoderOptions",
        "MelEncoderStage",
    ),
    "restoration": StageEntry(
        "the network that restores decoded faces; needs a bundle",
        "swaptalk.training.stages.restoration",
        "RestorationOptions",
        "RestorationStage",
    ),
    "lips": StageEntry(
        "the network that measures lips",
        "swaptalk.training.stages.lips",
        "LipOptions",
        "LipStage",
    ),
    "eyes": StageEntry(
        "the network that measures eyes",
        "swaptalk.training.stages.eyes",
        "EyeOptions",
        "EyeStage",
    ),
    "occlusion": StageEntry(
        "the network that finds what lies in front of a face",
        "swaptalk.training.stages.occlusion",
        "OcclusionOptions",
        "OcclusionStage",
    ),
    "eyewear": StageEntry(
        "the network that finds the rims of glasses",
        "swaptalk.training.stages.eyewear",
        "EyewearOptions",
        "EyewearStage",
    ),
    "hair": StageEntry(
        "the network that finds hair in front of the face in a photo",
        "swaptalk.training.stages.hair",
        "HairOptions",
        "HairStage",
    ),
    "sync-scorer": StageEntry(
        "the sync network of 'swaptalk evaluate'",
        "swaptalk.training.stages.sync_scorer",
        "SyncScorerOptions",
        "SyncScorerStage",
    ),
}

#: Stages whose networks make a bundle.
BUNDLED = ("vqgan", "swap", "lipsync")
#: Stages whose networks a bundle may do without.
OPTIONAL = ("mel-encoder", "restoration")


def weights_file(stage: str) -> str:
    """Name of the file of a stage's weights in a bundle; stage ``mel-encoder`` trains the network
    ``audio``.
    """
    return f"{'audio' if stage == 'mel-encoder' else stage}.safetensors"


def options_of(stage: str) -> type[LoopOptions]:
    """Return the dataclass of a stage's options."""
    entry = STAGES[stage]
    kind: type[LoopOptions] = getattr(importlib.import_module(entry.module), entry.options)
    return kind


def create_stage(stage: str, options: LoopOptions) -> Stage:
    """Create a stage.

    Args:
        stage: key of `STAGES`.
        options: of the class that `options_of` returns for it.
    """
    entry = STAGES[stage]
    kind: Any = getattr(importlib.import_module(entry.module), entry.stage)
    created: Stage = kind(options)
    return created
