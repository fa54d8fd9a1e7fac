"""Whether lips and sound of a clip belong together, by the motion that a network hears in it.

Loudness (`swaptalk.data.sync`) recognises fewer than half of the clips that are in sync.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.motion import MotionTable
from swaptalk.data.store import Item
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS

#: Shifts that are compared, in frames.
FURTHEST = 14
#: A clip is believed if the opening goes with the heard one by this correlation, by so much better
#: than at other shifts, more than ``NEAR`` frames away, and if the shift is not larger than
#: ``LARGEST``: beyond that the sound is more often foreign than late.
LEAST_CORRELATION, LEAST_LEAD, NEAR, LARGEST = 0.5, 0.15, 4, 3
#: Fewest frames that can be compared.
LEAST_FRAMES = 20


def opening_correlations(
    heard: NDArray[np.floating], measured: NDArray[np.floating], known: NDArray[np.bool_]
) -> dict[int, float]:
    """Correlation of the mouth's opening, heard and measured, by shift.

    Args:
        heard: tokens (T, D) of the sound.
        measured: tokens (T, D) of the lips.
        known: where they were measured, (T,).

    Returns:
        For each shift k with enough frames: token j of the sound against token j + k of the lips.
    """
    found = {}
    count = min(len(heard), len(measured))
    sound, lips = (t[:count, :ABSOLUTE_CHANNELS].mean(axis=1) for t in (heard, measured))
    for shift in range(-FURTHEST, FURTHEST + 1):
        low, high = max(0, -shift), min(count, count - shift)
        if high - low < LEAST_FRAMES:
            continue
        usable = known[low + shift : high + shift]
        a, b = sound[low:high][usable], lips[low + shift : high + shift][usable]
        if len(a) >= LEAST_FRAMES and min(a.std(), b.std()) > 1e-4:
            found[shift] = float(np.corrcoef(a, b)[0, 1])
    return found


def believed_shift(correlations: dict[int, float]) -> int | None:
    """The shift at which lips and sound belong together; None where no shift convinces."""
    if not correlations:
        return None
    best = max(correlations, key=lambda shift: correlations[shift])
    others = [c for shift, c in correlations.items() if abs(shift - best) > NEAR]
    lead = correlations[best] - max(others, default=-1.0)
    sure = correlations[best] >= LEAST_CORRELATION and lead >= LEAST_LEAD
    return best if sure and abs(best) <= LARGEST else None


def believed_shifts(
    items: Sequence[Item],
    motion: MotionTable,
    hear: Callable[[Item], NDArray[np.float32]],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """The shift by name of each clip whose lips and sound belong together.

    Args:
        items: clips with sound.
        motion: their measured motion.
        hear: makes tokens (count, D) of a clip's sound.
        progress: called with (clips done, clips in all).
    """
    believed = {}
    for done, item in enumerate(items, 1):
        known = np.asarray(np.isfinite(motion.raw(item)).all(axis=1), np.bool_)
        shift = believed_shift(opening_correlations(hear(item), motion.tokens(item), known))
        if shift is not None:
            believed[item.name] = shift
        if progress is not None:
            progress(done, len(items))
    return believed
