"""Weighted sum of the losses of a training step; a loss of weight 0 is not computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


class LossTerms:
    """Collects the losses of one optimiser group.

    Args:
        weights: weight of each loss by name, or a dataclass whose fields they are.
    """

    def __init__(self, weights: Any) -> None:
        self._weights: Mapping[str, float] = (
            weights if isinstance(weights, Mapping) else dataclasses.asdict(weights)
        )
        self._values: dict[str, Tensor] = {}
        self._total: Tensor | None = None

    def add(self, name: str, compute: Callable[[], Tensor], scale: float = 1.0) -> None:
        """Add ``weight * scale * compute()``, unless the factor is 0: then ``compute`` is not
        called.

        Args:
            name: key of the weights, and column of the log.
            compute: gives the loss, a scalar.
            scale: further factor, for losses that rise with the steps or are switched on late.
        """
        factor = float(self._weights[name]) * scale
        if factor == 0.0:
            return
        value = compute()
        self._values[name] = value.detach()
        weighted = factor * value.float()
        self._total = weighted if self._total is None else self._total + weighted

    @property
    def total(self) -> Tensor:
        """The weighted sum.

        Raises:
            ValueError: every loss is switched off.
        """
        if self._total is None:
            raise ValueError("every loss has weight 0")
        return self._total

    @property
    def values(self) -> dict[str, Tensor]:
        """The losses themselves, without weights, detached."""
        return self._values

    def note(self, name: str, value: Tensor | float) -> None:
        """Log a number that is not part of the sum."""
        self._values[name] = torch.as_tensor(value).detach()
