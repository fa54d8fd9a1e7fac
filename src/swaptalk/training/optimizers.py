"""Optimisers: Muon for the matrices inside a network, AdamW for everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from swaptalk.training.muon import Muon

OptimizerName = Literal["muon", "adamw"]
#: AdamW's moving averages; the second is shorter than usual because runs on a CPU are a few
#: thousand steps.
BETAS = (0.9, 0.99)


def build_optimizers(
    network: nn.Module,
    name: OptimizerName,
    learning_rate: float,
    other_rate: float,
    outer: Sequence[str] = (),
) -> list[torch.optim.Optimizer]:
    """Build the optimisers of a network; each stores its rate as ``base_lr`` for the schedule.

    Args:
        network: whose weights that require a gradient are trained.
        name: ``muon`` (AdamW for what is not a matrix inside the network) or ``adamw`` (for all).
        learning_rate: rate of Muon's part, or of AdamW where it trains all.
        other_rate: rate of AdamW's part beside Muon.
        outer: regular expressions that find the names of first and last layers and of embeddings,
            which Muon should not orthogonalise.
    """
    named = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
    inner = [
        p
        for n, p in named
        if name == "muon" and p.ndim >= 2 and not any(re.search(part, n) for part in outer)
    ]
    chosen = {id(p) for p in inner}
    rest = [p for _, p in named if id(p) not in chosen]
    optimizers: list[torch.optim.Optimizer] = []
    if inner:
        optimizers.append(Muon(inner, lr=learning_rate))
    if rest:
        rate = other_rate if inner else learning_rate
        optimizers.append(torch.optim.AdamW(rest, lr=rate, betas=BETAS, weight_decay=0.0))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return optimizers
