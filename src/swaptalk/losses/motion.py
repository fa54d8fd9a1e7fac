"""Losses of predicted motion tokens: their values, their changes, and that they move with the real
ones and as far.

Regression alone learns too small a movement, because the mean of all mouths that fit a sound moves
less than each of them; correlation and spread of the opening counter that. Our choice.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS, MOTION_CHANNELS
from swaptalk.losses.terms import LossTerms

#: Weight of the openings relative to the other channels.
OPENING_WEIGHT = 3.0
_EPSILON = 1e-6


def channel_weights() -> Tensor:
    """Weight of each channel, (D,), with a mean of 1."""
    weight = torch.ones(MOTION_CHANNELS)
    weight[:ABSOLUTE_CHANNELS] = OPENING_WEIGHT
    return weight / weight.mean()


def token_loss(made: Tensor, real: Tensor, known: Tensor) -> Tensor:
    """Weighted smooth L1 of tokens (N, T, D) where ``known`` (N, T) is 1; a scalar."""
    apart = F.smooth_l1_loss(made.float(), real.float(), reduction="none") * channel_weights().to(
        made.device
    )
    return (apart.mean(dim=2) * known).sum() / known.sum().clamp(min=1)


def velocity_loss(made: Tensor, real: Tensor, known: Tensor) -> Tensor:
    """Weighted mean absolute difference of the tokens' changes from frame to frame; a scalar."""
    apart = (made.float().diff(dim=1) - real.float().diff(dim=1)).abs() * channel_weights().to(
        made.device
    )
    both = known[:, 1:] * known[:, :-1]
    return (apart.mean(dim=2) * both).sum() / both.sum().clamp(min=1)


def _openings(tokens: Tensor, known: Tensor) -> Tensor:
    """Mean opening (N, T), its mean over the known frames removed; 0 where unknown."""
    opening = tokens[..., :ABSOLUTE_CHANNELS].float().mean(dim=2) * known
    count = known.sum(dim=1, keepdim=True).clamp(min=1)
    return (opening - opening.sum(dim=1, keepdim=True) / count) * known


def correlation_loss(made: Tensor, real: Tensor, known: Tensor) -> Tensor:
    """One minus the correlation in time of the opening, averaged over the batch; 0..2.

    Args:
        made: predicted tokens (N, T, D).
        real: measured tokens (N, T, D).
        known: 1 where a token was measured, (N, T).
    """
    a, b = _openings(made, known), _openings(real, known)
    power = ((a**2).sum(dim=1) * (b**2).sum(dim=1) + _EPSILON).sqrt()
    return (1 - (a * b).sum(dim=1) / power).mean()


def spread_loss(made: Tensor, real: Tensor, known: Tensor) -> Tensor:
    """How much less the opening varies than the real one does, in standard deviations; 0 where it
    varies more. Arguments as of `correlation_loss`.
    """
    count = known.sum(dim=1).clamp(min=1)
    a, b = (
        ((_openings(tokens, known) ** 2).sum(dim=1) / count + _EPSILON).sqrt()
        for tokens in (made, real)
    )
    return F.relu(b - a).mean()


def rest_loss(made: Tensor, rest: Tensor, resting: Tensor) -> Tensor:
    """How far tokens (N, T, D) move in pauses, ``resting`` (N, T), and are from those of a resting
    mouth (D,); a scalar.
    """
    still = rest.expand_as(made)
    return velocity_loss(made, still, resting) + token_loss(made, still, resting)


def add_motion_losses(terms: LossTerms, made: Tensor, real: Tensor, known: Tensor) -> None:
    """Add the four losses to terms whose weights have ``token``, ``velocity``, ``correlation`` and
    ``spread``. Arguments as of `correlation_loss`.
    """
    terms.add("token", lambda: token_loss(made, real, known))
    terms.add("velocity", lambda: velocity_loss(made, real, known))
    terms.add("correlation", lambda: correlation_loss(made, real, known))
    terms.add("spread", lambda: spread_loss(made, real, known))
