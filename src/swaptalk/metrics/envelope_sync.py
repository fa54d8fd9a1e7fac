"""Envelope sync: correlation of the mouth's opening with the loudness of speech, a sync measure
without any network.

Much weaker than SyncNet (loudness is one of many things a mouth shows) and not to be compared with
LSE; it finds gross offsets and tells a driven mouth from an undriven one where no sync network is
at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Frames searched to either side, as in the SyncNet protocol.
MAXIMUM_SHIFT = 15
#: Levels below this much under the loudest frame are treated alike: silence has no depth a mouth
#: could show (dB).
_RANGE_DB = 40.0


@dataclass(frozen=True)
class EnvelopeSync:
    """Correlation of mouth and loudness in one clip.

    ``correlation``: at offset 0, -1..1. ``peak``: the highest over the shifts. ``offset``: frames
    by which the audio must be delayed to reach it. ``curve`` (2 v + 1,): correlation for offsets -v
    .. v.
    """

    correlation: float
    peak: float
    offset: int
    curve: NDArray[np.float64]


def envelope_sync(
    opening: NDArray[np.floating], levels: NDArray[np.floating], maximum_shift: int = MAXIMUM_SHIFT
) -> EnvelopeSync:
    """Pearson correlation of mouth opening (T,) and level in dB (T,) over shifts of up to
    ``maximum_shift`` frames.

    NaN correlations (a mouth or a sound without any change) count as 0.

    Raises:
        ValueError: the lengths differ or the clip is not longer than three times the largest shift.
    """
    if len(opening) != len(levels) or len(opening) <= 3 * maximum_shift:
        raise ValueError(
            f"{len(opening)} openings and {len(levels)} levels are too few for shifts of "
            f"{maximum_shift}"
        )
    mouth = opening.astype(np.float64)
    sound = np.maximum(levels.astype(np.float64), float(levels.max()) - _RANGE_DB)
    curve = np.array(
        [_shifted_correlation(mouth, sound, s) for s in range(-maximum_shift, maximum_shift + 1)]
    )
    best = int(curve.argmax())
    return EnvelopeSync(
        float(curve[maximum_shift]), float(curve[best]), best - maximum_shift, curve
    )


def _shifted_correlation(
    mouth: NDArray[np.float64], sound: NDArray[np.float64], shift: int
) -> float:
    """Correlation of mouth[t] with sound[t - shift]."""
    a = mouth[max(shift, 0) : len(mouth) + min(shift, 0)]
    b = sound[max(-shift, 0) : len(sound) - max(shift, 0)]
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b) / float(np.sqrt((a @ a) * (b @ b)))
