"""Exponential moving averages of weights (Polyak & Juditsky 1992), evaluated and exported."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """Averages of networks by name. Buffers are copied, since codebooks and statistics are averages
    already.

    Args:
        networks: the networks in training.
        decay: decay a step in the long run; early on the average follows faster, so that it forgets
            the start.
    """

    def __init__(self, networks: dict[str, nn.Module], decay: float) -> None:
        self._decay = decay
        self.networks = {
            n: copy.deepcopy(m).eval().requires_grad_(False) for n, m in networks.items()
        }

    def decay(self, step: int) -> float:
        """Decay at a step: the average spans about a tenth of the steps so far, at most that of
        ``decay``.
        """
        return min(self._decay, 1 - 1 / (0.1 * step + 2))

    @torch.no_grad()
    def update(self, networks: dict[str, nn.Module], step: int) -> None:
        """Update the averages with the weights after ``step`` steps."""
        share = 1 - self.decay(step)
        for name, average in self.networks.items():
            for kept, new in zip(average.parameters(), networks[name].parameters(), strict=True):
                kept.lerp_(new, share)
            for held, now in zip(average.buffers(), networks[name].buffers(), strict=True):
                held.copy_(now)
