"""Energy-based voice activity detection on the mel spectrogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.mel import FRAME_RATE, LOG_HIGH, LOG_LOW, MELS_PER_PICTURE

#: Speech begins this far below the recording's loud passages (dB), or this far above its noise
#: floor, whichever is higher; ordinary speech spans about 30 dB between vowels and soft consonants.
OPEN_BELOW_LOUD = 32.0
OPEN_ABOVE_FLOOR = 10.0
#: It ends only when the level falls this much lower still (hysteresis), so soft endings of words
#: are not cut.
CLOSE_BELOW_OPEN = 6.0
#: But the threshold never rises into the loud passages: noisy recordings keep at least their
#: loudest half.
CLOSEST_TO_LOUD = 14.0
#: A recording whose loud passages stay below this level (dB, full-scale tones are near +20 on this
#: scale) is silent: about the hiss of 12-bit sound.
SILENT_LEVEL = -50.0
#: Quantiles that stand for loud passages and noise floor.
LOUD_QUANTILE, FLOOR_QUANTILE = 0.95, 0.05
#: Pauses shorter than this (seconds) are closures inside of words (p, t, k) and breaths between
#: them: the lips' own movement is better than ours.
SHORTEST_PAUSE = 0.28
#: Lips move before the sound and close after it: speech is widened by this on both sides (seconds).
LEAD, LAG = 0.10, 0.10
#: Time in which the mouth closes or opens (seconds).
BLEND = 0.16


def level(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the loudness in dB, (M,), of a log-mel spectrogram (M, 80)."""
    log = (mel.astype(np.float64) + 1) * ((LOG_HIGH - LOG_LOW) / 2) + LOG_LOW
    return np.asarray(10 * np.log10(np.exp(2 * log).sum(axis=1)), np.float32)


def speech_frames(loudness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which mel frames are speech, (M,) bool, from their :func:`level`."""
    if not len(loudness):
        return np.zeros(0, np.bool_)
    loud, floor = np.quantile(loudness, [LOUD_QUANTILE, FLOOR_QUANTILE])
    if loud < SILENT_LEVEL:
        return np.zeros(len(loudness), np.bool_)
    opens = min(
        max(loud - OPEN_BELOW_LOUD, floor + OPEN_ABOVE_FLOOR, SILENT_LEVEL), loud - CLOSEST_TO_LOUD
    )
    above, below = loudness >= opens, loudness < opens - CLOSE_BELOW_OPEN
    # Hysteresis: between the thresholds the last certain frame decides; before the first one there
    # is silence.
    certain = np.where(above | below, np.arange(len(loudness)), -1)
    last = np.maximum.accumulate(certain)
    speech = np.where(last >= 0, above[np.maximum(last, 0)], False)
    return _without_short_pauses(np.asarray(speech, np.bool_), round(SHORTEST_PAUSE * FRAME_RATE))


def _without_short_pauses(speech: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    edges = np.flatnonzero(np.diff(speech.astype(np.int8)))
    filled = speech.copy()
    for begin, end in zip(edges[:-1] + 1, edges[1:] + 1, strict=True):
        if not speech[begin] and end - begin < shortest:
            filled[begin:end] = True
    return filled


def speech_weight(loudness: NDArray[np.float32], tokens: int) -> NDArray[np.float32]:
    """Return the weight of each motion token, (tokens,): 1 in speech, 0 in silence, soft edges.

    ``loudness`` is :func:`level` of the whole recording, 100 a second; tokens lie 40 ms apart.
    """
    if not len(loudness):
        return np.zeros(tokens, np.float32)
    speech = np.concatenate([[0], np.cumsum(speech_frames(loudness))])
    lead, lag = round(LEAD * FRAME_RATE), round(LAG * FRAME_RATE)
    frames = np.arange(len(loudness))
    begin, end = np.maximum(frames - lag, 0), np.minimum(frames + lead + 1, len(loudness))
    wide = np.concatenate([[0], np.cumsum(speech[end] > speech[begin])])
    half = round(BLEND * FRAME_RATE / 2)
    centre = np.minimum(np.arange(tokens) * MELS_PER_PICTURE, len(loudness) - 1)
    begin, end = np.maximum(centre - half, 0), np.minimum(centre + half + 1, len(loudness))
    return np.asarray((wide[end] - wide[begin]) / (end - begin), np.float32)
