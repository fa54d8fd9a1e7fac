"""The mean of several runs' weights, a "model soup" (Wortsman et al. 2022, arXiv 2203.05482).

Of a run and the one that it started from, the mean is often a better compromise than either.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from swaptalk.errors import InputError
from swaptalk.training.checkpoint import (
    Checkpoint,
    read_config,
    save_checkpoint,
    trained_weights,
    write_config,
)

#: What runs of a stage must have in common besides the shapes: the scale of their motion tokens.
SCALE = ("motion", "lips")


def average_runs(runs: Sequence[Path], out: Path) -> None:
    """Write the mean of runs of one stage as a run of no steps, for ``--start-from`` and ``swaptalk
    export``.

    Each run counts alike, with its moving averages. Networks that some of the runs lack (a
    discriminator) are left out.

    Args:
        runs: folders of at least two runs.
        out: folder to write; its config is the first run's.

    Raises:
        InputError: the runs are of different stages, shapes or scales of motion, one has no
            checkpoint, or ``out`` exists.
    """
    if out.exists():
        raise InputError("exists already", path=out, remedy="name another folder")
    if len(runs) < 2:
        raise InputError("fewer than two runs given", remedy="name the folders of two runs or more")
    stage, options = read_config(runs[0])
    found = [trained_weights(run) for run in runs]
    first, kept = found[0]
    for run, (checkpoint, weights) in zip(runs[1:], found[1:], strict=True):
        other, _ = read_config(run)
        if other != stage:
            raise InputError(f"is a run of stage {other}", path=run, remedy=f"name runs of {stage}")
        if any(checkpoint.extra.get(key) != first.extra.get(key) for key in SCALE):
            raise InputError(
                "has motion tokens of another scale",
                path=run,
                remedy="average a run with its start",
            )
        kept = {name: state for name, state in kept.items() if name in weights}
        if any(_shapes(state) != _shapes(weights[name]) for name, state in kept.items()):
            raise InputError(
                "has networks of another shape", path=run, remedy="average a run with its start"
            )
    mean = {name: _mean([weights[name] for _, weights in found]) for name in kept}
    out.mkdir(parents=True)
    extra = {**first.extra, "mean_of": [checkpoint.summary() for checkpoint, _ in found]}
    save_checkpoint(out, Checkpoint(networks=mean, averages=mean, extra=extra))
    write_config(out, stage, json.dumps({**options, "out": str(out)}))


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of floating-point tensors; of others (counters) the first run's."""
    return {
        name: torch.stack([s[name].double() for s in states]).mean(dim=0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
