"""Everything a run needs to go on as if it had never stopped, in one file that appears whole or not
at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.models.weights import read_weights
from swaptalk.storage.files import AtomicFile
from swaptalk.training.options import read_json

CHECKPOINT_NAME = "checkpoint.pt"
CONFIG_NAME = "config.json"


@dataclass
class Checkpoint:
    """State of a run after ``step`` optimiser steps.

    The data position and the random numbers follow from ``step`` and the seed, so they need no
    place here. ``elapsed`` are seconds of training; ``pending`` the losses since the last row of
    the log, with their ``pending_steps``.
    """

    step: int = 0
    elapsed: float = 0.0
    networks: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    averages: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    optimizers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pending: dict[str, list[float]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Steps and minutes of the run; of the mean of runs (`training.soup`) also those of its
        parts.
        """
        parts = {"mean_of": self.extra["mean_of"]} if "mean_of" in self.extra else {}
        return {"steps": self.step, "minutes": round(self.elapsed / 60, 1), **parts}


def full_state(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and all buffers, those that a module does not save too (codebook statistics)."""
    state = {name: value.detach() for name, value in module.named_parameters()}
    state.update({name: value.detach() for name, value in module.named_buffers()})
    return state


def load_full_state(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Put back what `full_state` gave.

    Raises:
        ValueError: names or shapes are not this module's.
    """
    own = full_state(module)
    if set(own) != set(state):
        differing = sorted(set(own) ^ set(state))
        raise ValueError(f"the weights belong to another network ({', '.join(differing[:3])}, ...)")
    with torch.no_grad():
        for name, value in own.items():
            if value.shape != state[name].shape:
                raise ValueError(
                    f"{name} has shape {tuple(state[name].shape)} instead of {tuple(value.shape)}"
                )
            value.copy_(state[name])


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the run's checkpoint; a crash leaves the one before."""
    with AtomicFile(folder / CHECKPOINT_NAME) as target:
        torch.save(vars(checkpoint), target.part)


def load_checkpoint(folder: Path, device: torch.device | str = "cpu") -> Checkpoint | None:
    """The run's checkpoint; None if there is none yet.

    Raises:
        SwapTalkError: the file is damaged.
    """
    path = folder / CHECKPOINT_NAME
    if not path.exists():
        return None
    try:
        return Checkpoint(**torch.load(path, map_location=device, weights_only=True))
    except Exception as error:
        raise SwapTalkError(
            f"the checkpoint cannot be read ({type(error).__name__})",
            path=path,
            remedy="restore it from a copy, or begin anew with --restart",
        ) from error


def write_config(folder: Path, stage: str, options: str) -> None:
    """Record a run's stage and options (JSON) as ``config.json``."""
    with AtomicFile(folder / CONFIG_NAME) as target:
        target.part.write_text(
            json.dumps({"stage": stage, "options": json.loads(options)}, indent=1) + "\n"
        )


def read_config(folder: Path) -> tuple[str, dict[str, Any]]:
    """Stage and options of a run.

    Raises:
        InputError: the folder holds no run.
    """
    values = read_json(folder / CONFIG_NAME)
    if not isinstance(values.get("stage"), str) or not isinstance(values.get("options"), dict):
        raise InputError(
            "is not the config of a run",
            path=folder / CONFIG_NAME,
            remedy="name the folder of a run",
        )
    return values["stage"], values["options"]


def trained_weights(folder: Path) -> tuple[Checkpoint, dict[str, dict[str, Tensor]]]:
    """A run's checkpoint and its best weights by network: the moving average where there is one.

    Raises:
        InputError: the run has no checkpoint.
    """
    checkpoint = load_checkpoint(folder)
    if checkpoint is None:
        raise InputError("holds no checkpoint yet", path=folder, remedy="train it first")
    return checkpoint, {**checkpoint.networks, **checkpoint.averages}


def starting_weights(
    folder: Path, networks: Mapping[str, nn.Module]
) -> dict[str, dict[str, Tensor]]:
    """Weights that another run begins with, by network: a run's best ones, or those that a bundle
    has of these networks, in float32, with the buffers that a network makes itself.

    Raises:
        InputError: the run has no checkpoint.
    """
    if not (folder / BUNDLE_NAME).exists():
        return trained_weights(folder)[1]
    paths = {name: folder / f"{name}.safetensors" for name in networks}
    return {
        name: {**full_state(networks[name]), **read_weights(path)}
        for name, path in paths.items()
        if path.exists()
    }
