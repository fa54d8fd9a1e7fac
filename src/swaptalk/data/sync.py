"""Whether a clip's sound fits its lips: an audio-video offset from mouth opening and loudness, and
how sure it is.

Loudness is a weak witness (hums are loud with closed lips), so a shift of one or two frames is
within the error and left alone, a clear larger one is corrected, and clips where nothing fits are
not used for learning sync.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.media.mel import MELS_PER_PICTURE, log_mel
from swaptalk.media.voice_activity import level, speech_weight
from swaptalk.metrics.envelope_sync import MAXIMUM_SHIFT, envelope_sync

#: Correlation of mouth and loudness below which a clip shows nothing about sync.
MINIMUM_CORRELATION = 0.2
#: Offset found where all is well: lips open before the sound that they make. Mode over 270 clips of
#: many people.
NATURAL_OFFSET = -1
#: Differences from it (frames) within the method's error, which are left alone.
ERROR_FRAMES = 2
#: A larger offset is believed with this correlation, and if it beats the present offset by this
#: much.
CLEAR_CORRELATION, CLEAR_GAIN = 0.4, 0.15
#: Shortest clip in frames that can be judged.
MINIMUM_FRAMES = 3 * MAXIMUM_SHIFT + 1


@dataclass(frozen=True)
class SyncEstimate:
    """``offset``: frames by which the sound must be delayed; ``correlation`` after that;
    ``reason`` of distrust.
    """

    offset: int
    correlation: float
    trusted: bool
    reason: str = ""


def estimate_sync(
    landmarks: NDArray[np.float32], usable: NDArray[np.bool_], audio: NDArray[np.float32]
) -> SyncEstimate:
    """Judge a clip.

    Args:
        landmarks: (T, 468, 3) mesh; frames without a face may be NaN.
        usable: (T,) bool.
        audio: samples at 16 kHz, sample 0 at frame 0.
    """
    count = len(landmarks)
    if int(usable.sum()) < max(MINIMUM_FRAMES, count // 2):
        return SyncEstimate(0, 0.0, False, "too short to compare lips and sound")
    loudness = level(log_mel(audio))
    if not speech_weight(loudness, count).any():
        return SyncEstimate(0, 0.0, False, "no speech")
    known = np.flatnonzero(usable)
    openings = np.interp(np.arange(count), known, [mouth_openness(landmarks[k]) for k in known])
    padded = np.concatenate(
        [loudness, np.full(max(0, MELS_PER_PICTURE * count - len(loudness)), loudness.min())]
    )
    levels = padded[: MELS_PER_PICTURE * count].reshape(count, MELS_PER_PICTURE).mean(axis=1)
    found = envelope_sync(openings, levels)
    if found.peak < MINIMUM_CORRELATION:
        return SyncEstimate(
            0, found.correlation, False, f"lips and loudness do not go together ({found.peak:.2f})"
        )
    off = found.offset - NATURAL_OFFSET
    if abs(off) <= ERROR_FRAMES:
        return SyncEstimate(0, found.correlation, True)
    if found.peak >= CLEAR_CORRELATION and found.peak - found.correlation >= CLEAR_GAIN:
        return SyncEstimate(off, found.peak, True)
    return SyncEstimate(0, found.correlation, False, f"sound may be off by {off} frames")


def delay(audio: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Move sound (n,) later by so many samples (negative: earlier); silence comes in, the length
    stays.
    """
    moved = np.zeros_like(audio)
    if abs(samples) >= len(audio):
        return moved
    if samples >= 0:
        moved[samples:] = audio[: len(audio) - samples]
    else:
        moved[:samples] = audio[-samples:]
    return moved
