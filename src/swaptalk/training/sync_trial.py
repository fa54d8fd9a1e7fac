"""How far a sync network can be trusted: tried on real clips, with foreign voices, known shifts,
and loudness alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.windows import mel_window
from swaptalk.media.mel import MELS_PER_PICTURE, SILENCE
from swaptalk.metrics.own_sync import OwnSyncScorer

#: Foreign voices that a clip's own sound is compared with.
FOREIGN_VOICES = 14
#: Shifts (frames) by which the sound is moved, to be found again.
KNOWN_SHIFTS = (-9, -5, -2, 0, 2, 5, 9)
#: A shift counts as found when it is right to this many frames: 40 ms, below what viewers notice.
TOLERANCE = 1

TrialClip = tuple[str, NDArray[np.uint8], NDArray[np.float32]]
"""Person, mouth views (T, 48, 96), log-mel (4 T, 80)."""


@dataclass
class Trial:
    """What came of it, one entry a clip (``found``: one a clip and shift), and of how many
    clips.
    """

    own_first: list[bool] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    found_by_loudness: list[bool] = field(default_factory=list)
    found_without_loudness: list[bool] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """Means, in percent where they are shares; ``clips`` is their number."""
        shares = {
            "own_first": self.own_first,
            "shift_found": self.found,
            "shift_found_by_loudness": self.found_by_loudness,
            "shift_found_without_loudness": self.found_without_loudness,
        }
        result = {name: 100 * float(np.mean(values)) for name, values in shares.items() if values}
        if self.confidences:
            result |= {
                "confidence": float(np.mean(self.confidences)),
                "distance": float(np.mean(self.distances)),
            }
        return {**result, "clips": float(len(self.confidences))}


def loudness_only(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A log-mel (T, 80) in which every band is as loud as the frame: when somebody speaks, but not
    what.
    """
    return np.repeat(mel.mean(axis=1, keepdims=True), mel.shape[1], axis=1)


def without_loudness(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A log-mel (T, 80) in which every frame is as loud as the mean frame: what is said, but not
    how loud.
    """
    return np.asarray(
        np.maximum(mel - mel.mean(axis=1, keepdims=True) + mel.mean(), SILENCE), np.float32
    )


def try_scorer(scorer: OwnSyncScorer, clips: Sequence[TrialClip]) -> Trial:
    """Try a sync network on real clips.

    ``own_first``: the own sound's confidence beats that of 14 other people's (looped to the same
    length). ``shift_found``: a shift of the sound by -9 .. 9 frames is found to a frame.
    ``shift_found_by_loudness``: the same when the network hears only how loud it is; were it as
    high, the network would measure loudness and not speech. ``shift_found_without_loudness``: the
    same when all frames are equally loud. Clips too short to be shifted count nowhere.
    """
    trial = Trial()
    for person, views, mel in clips:
        lips = scorer.embed_views(views)
        try:
            own = scorer.score(lips, scorer.embed_mel(mel))
        except ValueError:
            continue
        trial.confidences.append(own.confidence)
        trial.distances.append(own.distance)
        others = [other for name, _, other in clips if name != person][:FOREIGN_VOICES]
        if others:
            rivals = [
                scorer.score(lips, scorer.embed_mel(np.resize(other, mel.shape)))
                for other in others
            ]
            trial.own_first.append(own.confidence > max(rival.confidence for rival in rivals))
        for heard, found in (
            (mel, trial.found),
            (loudness_only(mel), trial.found_by_loudness),
            (without_loudness(mel), trial.found_without_loudness),
        ):
            for shift in KNOWN_SHIFTS:
                # Later by ``shift`` frames.
                moved = scorer.embed_mel(mel_window(heard, -shift, len(heard) // MELS_PER_PICTURE))
                found.append(abs(scorer.score(lips, moved).offset + shift) <= TOLERANCE)
    return trial
