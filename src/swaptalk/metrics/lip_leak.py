"""LipLeak: how much the mouth moves while nobody speaks (after KeySync, Bigata et al. 2025, arXiv
2505.00497).

A lip-sync that copies the target's own mouth leaks its words into the silence. KeySync reports the
share of moving frames; ``ratio`` relates the motion to that during speech, so that it needs no
threshold on motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import LIP_BOTTOM, LIP_TOP

#: A frame is silent when its level is this far below the clip's loud frames (dB) or below the floor
#: of 16-bit recordings.
SILENCE_BELOW_SPEECH_DB, SILENCE_FLOOR_DB = 35.0, -60.0
#: The level of loud frames: a high percentile, because a click must not decide.
_LOUD_PERCENTILE = 95.0
#: Silence shorter than this is a stop consonant, during which mouths rightly move (seconds).
SHORTEST_SILENCE = 0.2
#: Frames at the edges of a silence are left out (seconds): lips close after the sound and open
#: before it.
_EDGE = 0.08
#: A mouth moves when its opening changes by more than this share of the eye distance from frame to
#: frame at 25 fps, about three times the mesh's own noise on a still face.
MOVING_SHARE = 0.01


@dataclass(frozen=True)
class LipLeak:
    """``ratio``: mouth motion in silence over that in speech, 0 best, 1 no difference; NaN without
    silence or speech.

    ``moving``: share of silent frames in which the mouth moves, 0..1; NaN without silence.
    ``silent_frames``: how many there were.
    """

    ratio: float
    moving: float
    silent_frames: int


def frame_levels(
    wave: NDArray[np.floating], sample_rate: int, fps: float, count: int
) -> NDArray[np.float64]:
    """RMS level (count,) of the sound during each video frame, in dB of full scale, -120 for
    digital silence.
    """
    edges = np.rint(np.arange(count + 1) * sample_rate / fps).astype(np.int64)
    total = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
    inside = np.minimum(edges, len(wave))
    power = np.diff(total[inside]) / np.maximum(np.diff(edges), 1)
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-12)), np.float64)


def silent_frames(levels: NDArray[np.floating], fps: float) -> NDArray[np.bool_]:
    """Which video frames (T,) lie well inside a pause, from their levels (T,) in dB."""
    quiet = levels < max(
        float(np.percentile(levels, _LOUD_PERCENTILE)) - SILENCE_BELOW_SPEECH_DB, SILENCE_FLOOR_DB
    )
    result = np.zeros(len(levels), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    margin = round(_EDGE * fps)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= SHORTEST_SILENCE * fps:
            result[start + margin : end - margin] = True
    return result


def mouth_opening(aligned: NDArray[np.floating], eye_distance: float) -> NDArray[np.float64]:
    """Distance (T,) of the inner lips of meshes (T, 468, 2 or 3) as a share of the eye distance."""
    gap = aligned[:, LIP_BOTTOM, :2].astype(np.float64) - aligned[:, LIP_TOP, :2]
    return np.asarray(np.linalg.norm(gap, axis=-1) / eye_distance, np.float64)


def lip_leak(opening: NDArray[np.floating], silent: NDArray[np.bool_]) -> LipLeak:
    """Mouth motion in silence.

    Args:
        opening: the mouth's opening (T,) as a share of the eye distance, at 25 fps.
        silent: which frames (T,) are silent in the audio that drives the mouth.

    Raises:
        ValueError: the lengths differ.
    """
    if len(opening) != len(silent):
        raise ValueError(f"{len(opening)} openings for {len(silent)} frames of sound")
    change = np.abs(np.diff(opening.astype(np.float64)))
    still = silent[1:] & silent[:-1]
    speech = ~silent[1:] & ~silent[:-1]
    count = int(still.sum())
    if count == 0:
        return LipLeak(float("nan"), float("nan"), 0)
    moving = float((change[still] > MOVING_SHARE).mean())
    in_speech = float(change[speech].mean()) if speech.any() else 0.0
    return LipLeak(
        float(change[still].mean()) / in_speech if in_speech > 0 else float("nan"), moving, count
    )
