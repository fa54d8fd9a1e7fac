"""Losses of landmarks: positions, and openings of the lips."""

from __future__ import annotations

from torch import Tensor

from swaptalk.faces.geometry.mouth_motion import INNER_LIP_PAIRS
from swaptalk.faces.geometry.topology import INNER_LIPS, LIPS

_PLACE = {
    int(point): index for index, point in enumerate(LIPS) if index >= len(LIPS) - len(INNER_LIPS)
}
_UPPER = [_PLACE[upper] for upper, _ in INNER_LIP_PAIRS]
_LOWER = [_PLACE[lower] for _, lower in INNER_LIP_PAIRS]


def landmark_loss(made: Tensor, real: Tensor) -> Tensor:
    """Mean distance of points (N, P, 2) from the right ones; a scalar in their unit.

    The distance itself rather than its square: one hidden mouth must not outweigh a hundred good
    ones.
    """
    apart: Tensor = (made.float() - real.float()).norm(dim=-1)
    return apart.mean()


def lip_openings(lips: Tensor) -> Tensor:
    """Vectors (N, 7, 2) between upper and lower inner lip of lip points (N, 40, 2), along the
    mouth's width.
    """
    return lips[:, _LOWER] - lips[:, _UPPER]


def opening_loss(made: Tensor, real: Tensor) -> Tensor:
    """Mean distance of the openings of lip points (N, 40, 2) from the right ones; a scalar in their
    unit.

    An opening is a small difference of two places, so places may be nearly right and it still be
    wrong by much.
    """
    return landmark_loss(lip_openings(made), lip_openings(real))
