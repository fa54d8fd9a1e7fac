"""LSE-D, LSE-C and the audio-video offset from two streams of embeddings (Chung & Zisserman 2016;
Prajwal et al. 2020).

The part of the SyncNet protocol that comes after the networks; any pair of embeddings fits, so that
the project's own sync network is scored by the same rule under its own name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Frames searched to either side in the Wav2Lip evaluation, which papers follow.
MAXIMUM_SHIFT = 15
#: Added to each coordinate's difference before squaring by PyTorch's ``pairwise_distance``, which
#: the protocol calls.
_PAIRWISE_EPSILON = 1e-6


@dataclass(frozen=True)
class SyncScore:
    """Scores of one clip.

    ``distance`` (LSE-D): lowest mean distance over the shifts, lower is better. ``confidence``
    (LSE-C): median over the shifts minus the lowest, higher is better; above the real clip's it
    means over-articulation. ``offset``: frames by which the audio must be delayed, the protocol's
    "AV offset"; 0 when in sync. ``curve`` (2 v + 1,): mean distance for shifts v .. -v of that
    offset, as the protocol orders them.
    """

    distance: float
    confidence: float
    offset: int
    curve: NDArray[np.float64]


def sync_score(
    video: NDArray[np.floating],
    audio: NDArray[np.floating],
    maximum_shift: int = MAXIMUM_SHIFT,
    padded: bool = True,
) -> SyncScore:
    """Compare embeddings (T, D) of video and audio windows that start at the same frames.

    Distances are Euclidean and averaged over time per shift.

    Args:
        video: embeddings of video windows.
        audio: embeddings of audio windows.
        maximum_shift: frames searched to either side.
        padded: as in the protocol, the audio is padded with zero vectors at both ends (so clip
            length matters a little). False averages over the windows that both streams have, for
            embeddings of unit length.

    Raises:
        ValueError: the shapes differ, there is no window, or without padding some shift would leave
            none.
    """
    if video.shape != audio.shape or len(video) <= (0 if padded else maximum_shift):
        raise ValueError(f"embeddings of shapes {video.shape} and {audio.shape} cannot be compared")
    x, y = video.astype(np.float64), audio.astype(np.float64)
    wide = np.pad(y, ((maximum_shift, maximum_shift), (0, 0)))
    curve = np.empty(2 * maximum_shift + 1)
    for shift in range(len(curve)):
        distances = np.linalg.norm(x - wide[shift : shift + len(x)] + _PAIRWISE_EPSILON, axis=1)
        if not padded:  # drop what lies against the padding
            distances = distances[
                max(0, maximum_shift - shift) : len(x) - max(0, shift - maximum_shift)
            ]
        curve[shift] = distances.mean()
    best = int(curve.argmin())
    # PyTorch's median takes the lower of two middle values; the number of shifts is odd, so there
    # is but one.
    return SyncScore(
        float(curve[best]), float(np.median(curve) - curve[best]), maximum_shift - best, curve
    )
