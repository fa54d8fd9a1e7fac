"""``swaptalk train STAGE``: train one network."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning_fabric  # noqa: F401 - so that a missing extra is noticed here and said in one line
import torch  # noqa: F401
import tyro

from swaptalk.errors import InputError
from swaptalk.training.options import LoopOptions, from_dict, read_json


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
    "lips": StageEntry(
        "the network that measures lips",
        "swaptalk.training.stages.lips",
        "LipOptions",
        "LipStage",
    ),
    "occlusion": StageEntry(
        "the network that finds what lies in front of a face",
        "swaptalk.training.stages.occlusion",
        "OcclusionOptions",
        "OcclusionStage",
    ),
    "sync-scorer": StageEntry(
        "the sync network of 'swaptalk evaluate'",
        "swaptalk.training.stages.sync_scorer",
        "SyncScorerOptions",
        "SyncScorerStage",
    ),
}

USAGE = """usage: swaptalk train STAGE [--config FILE] [--option value]...

stages, in order:
{stages}

The folder of a run holds its checkpoint, log.csv, metrics.csv, sample sheets and TensorBoard files.
The same command resumes an interrupted run. --config reads options from JSON, such as the
config.json of another run; options on the command line override it.
'swaptalk train STAGE --help' shows the options of a stage.
"""


def options_of(stage: str) -> type[LoopOptions]:
    """Return the dataclass of a stage's options."""
    entry = STAGES[stage]
    kind: type[LoopOptions] = getattr(importlib.import_module(entry.module), entry.options)
    return kind


def parse(arguments: Sequence[str]) -> tuple[str, LoopOptions]:
    """Parse the arguments of ``swaptalk train`` into stage and options.

    Raises:
        InputError: unknown stage, or a file of options for another stage.
        SystemExit: help was asked for, or an option is wrong; tyro has said so.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, STAGES))
        print(
            USAGE.format(
                stages="\n".join(f"  {name:<{width}}  {e.summary}" for name, e in STAGES.items())
            )
        )
        raise SystemExit(0 if arguments else 2)
    stage, rest = arguments[0], list(arguments[1:])
    if stage not in STAGES:
        raise InputError(f"no such stage: {stage}", remedy=f"choose one of {', '.join(STAGES)}")
    file, rest = _take_config(rest)
    kind = options_of(stage)
    default = kind(out=Path("runs") / stage) if file is None else _from_file(stage, kind, file)
    chosen = tyro.cli(
        kind,
        prog=f"swaptalk train {stage}",
        args=rest,
        default=default,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return stage, chosen


def _take_config(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """Take ``--config FILE`` or ``--config=FILE`` out of the arguments."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--config="):
            return Path(argument.partition("=")[2]), arguments[:index] + arguments[index + 1 :]
        if argument == "--config":
            if index + 1 == len(arguments):
                raise InputError("--config needs a file", remedy="name a JSON file of options")
            return Path(arguments[index + 1]), arguments[:index] + arguments[index + 2 :]
    return None, arguments


def _from_file(stage: str, kind: type[LoopOptions], file: Path) -> LoopOptions:
    values = read_json(file)
    if isinstance(values.get("options"), dict):  # the config.json of a run
        if values.get("stage") != stage:
            raise InputError(
                f"holds options of stage {values.get('stage')}",
                path=file,
                remedy="name another file",
            )
        values = values["options"]
    return from_dict(kind, {"out": f"runs/{stage}", **values})


def run(chosen: tuple[str, LoopOptions]) -> int:
    """Train; returns the exit code."""
    from swaptalk.training.loop import Trainer

    name, options = chosen
    options.check()
    stage: Any = getattr(importlib.import_module(STAGES[name].module), STAGES[name].stage)
    folder = Trainer(stage(options), options).run()
    print(f"{folder}: done")
    return 0
