"""Muon: momentum, orthogonalised (Jordan et al. 2024, kellerjordan.github.io/posts/muon), for
weight matrices.

The update of each weight matrix is replaced by the nearest semi-orthogonal matrix, so that all
directions of the matrix learn at one rate. For the few thousand steps that a CPU affords it needs
clearly fewer steps than Adam. Everything that is not a matrix inside the network (biases, first and
last layers) goes to AdamW.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

#: Coefficients of the quintic Newton-Schulz step that drives singular values towards 1 (from the
#: Muon article).
_QUINTIC = (3.4445, -4.7750, 2.0315)
#: Newton-Schulz steps: five bring every singular value into about 0.7..1.2.
_ITERATIONS = 5


def orthogonalize(matrix: Tensor) -> Tensor:
    """Approximate the semi-orthogonal factor U V^T of a matrix (rows, columns) = U S V^T, in
    bfloat16 arithmetic.
    """
    a, b, c = _QUINTIC
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.T if tall else x).to(matrix.dtype)
    return result


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay.

    Args:
        params: weights of two or more dimensions; all but the first are flattened.
        lr: step size; the update of a (rows, columns) matrix has a root-mean-square of ``0.2 * lr``
            whatever its shape, so that learning rates of AdamW carry over (Liu et al. 2025, arXiv
            2502.16982).
        momentum: decay of the gradient's moving average.
        weight_decay: decoupled decay, multiplied by ``lr``.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update every weight that has a gradient."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                average = state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                update = weight.grad.add(average, alpha=group["momentum"])
                matrix = update.reshape(len(update), -1)
                scale = 0.2 * max(matrix.shape) ** 0.5
                direction = orthogonalize(matrix).reshape(update.shape)
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(
                    direction, alpha=-scale * group["lr"]
                )
        return loss
