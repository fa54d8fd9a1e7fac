"""Interface of a training stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from swaptalk.losses.terms import LossTerms
from swaptalk.training.options import LoopOptions

Batch = dict[str, Tensor]


@dataclass
class Evaluation:
    """Numbers by name, and a picture (H, W, 3) uint8 RGB that shows what they look like, if there
    is one.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    sheet: NDArray[np.uint8] | None = None


class Stage(ABC):
    """Base class of a training stage; `Trainer` runs the loop.

    Attributes:
        name: the stage's name on the command line.
        networks: what is trained and saved, by name. The loop replaces the entries by the wrapped
            networks that it runs, so a stage must call ``self.networks[...]`` and keep no other
            reference.
        averaged: names of the networks with an exponential moving average, which is what gets
            exported.
        frozen: networks that only take part; the loop moves them to the device.
        methods: methods of networks, beside ``forward``, that `training_step` calls: (network,
            method).
        autocast: context of the run's precision for frozen networks; the wrapped ones enter it by
            themselves. Never held while yielding.
        device: where the networks run; the loop sets it.
    """

    name: ClassVar[str]
    networks: dict[str, nn.Module]
    averaged: tuple[str, ...]
    frozen: dict[str, nn.Module]
    methods: tuple[tuple[str, str], ...] = ()
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
    device: torch.device | str = "cpu"

    def __init__(self, options: LoopOptions) -> None:
        self.options = options

    def prepare(self) -> None:  # noqa: B027 - most stages have nothing to prepare
        """Compute and open the caches; the first process does so before the others."""

    @abstractmethod
    def optimizers(self) -> dict[str, list[Optimizer]]:
        """Optimisers by group, such as ``generator`` and ``discriminator``; `groups` names their
        networks.
        """

    @abstractmethod
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Names of the networks that each group's losses train."""

    @abstractmethod
    def batch(self, rng: np.random.Generator) -> Batch:
        """Make a batch on the CPU from ``rng`` alone; called from several threads at once."""

    @abstractmethod
    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """Yield the losses of each optimiser group; the loop runs each backward pass before the
        next.

        Random numbers come from PyTorch's generator, which the loop seeds for each batch.

        Args:
            batch: what `batch` made, on the device.
            step: optimiser steps done.
        """

    @abstractmethod
    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        """Evaluate the averaged networks on validation people, without gradients."""

    def compile(self) -> None:
        """Compile what `training_step` runs most; the default compiles every network."""
        for network in self.networks.values():
            network.compile()

    def extra_state(self) -> dict[str, Any]:
        """Return what an export needs besides weights (JSON types only)."""
        return {}
