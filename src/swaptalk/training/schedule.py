"""Learning-rate schedule: warm up, stay, decay (Hu et al. 2024, "MiniCPM", arXiv 2404.06395,
section 4).

The rate stays at its height until the end of the budget comes near, so that a run may be prolonged
from a checkpoint before the decay without having been planned that long.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Factor of the learning rate.

    ``warm_up``: steps of linear rise. ``decay_share``: share of the budget, at its end, over which
    the rate falls linearly. ``floor``: factor that is left at the very end.
    """

    warm_up: int
    decay_share: float
    floor: float = 0.02

    def factor(self, step: int, progress: float) -> float:
        """Factor at a step (from 0), ``progress`` being the part of the budget that is used up,
        0..1.
        """
        rise = min(1.0, (step + 1) / max(1, self.warm_up))
        if self.decay_share <= 0:
            return rise
        fall = (1.0 - progress) / self.decay_share
        return rise * min(1.0, max(self.floor, fall))


def progress(step: int, elapsed: float, steps: int, minutes: float) -> float:
    """Part of the budget used, 0..1: of steps, of wall-clock time, or of whichever ends first; 0
    without a budget.

    Args:
        step: steps done.
        elapsed: seconds of training done, those before an interruption included.
        steps: budget in steps; 0 is none.
        minutes: budget in minutes; 0 is none.
    """
    parts = [step / steps if steps else 0.0, elapsed / (60 * minutes) if minutes else 0.0]
    return min(1.0, max(parts))
