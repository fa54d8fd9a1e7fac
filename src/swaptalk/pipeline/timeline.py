"""Timeline: which target frame and motion token belong to which output frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.mel import MOTION_RATE

#: What happens when the output is longer than the target: play it back and forth, or hold its last
#: picture.
Extend = Literal["pingpong", "freeze"]
#: What decides the length of the output.
LengthPolicy = Literal["audio", "video", "shortest"]


def frame_count(seconds: float | Fraction, fps: Fraction) -> int:
    """Return the number of frames of ``seconds``: round(seconds x fps), halves up, at least one."""
    return max(1, int(Fraction(seconds) * fps + Fraction(1, 2)))


def output_seconds(
    policy: LengthPolicy, video: Fraction | None, audio: Fraction | None
) -> Fraction:
    """Length of the output in seconds under ``policy``.

    ``video`` is None for a photograph, ``audio`` is None when no recording drives the mouth; what
    is missing cannot decide, so the other one does.

    Raises:
        ValueError: both are None.
    """
    known = [seconds for seconds in (video, audio) if seconds is not None]
    if not known:
        raise ValueError("neither the target nor the audio has a length")
    if video is None or audio is None:
        return known[0]
    return {"audio": audio, "video": video, "shortest": min(known)}[policy]


@dataclass(frozen=True)
class Playback:
    """Order in which the ``length`` frames of the target are played.

    Ping-pong turns round without showing the first or last frame twice, so the motion never jumps:
    0 1 2 3 2 1 0 1 ...
    """

    length: int
    extend: Extend = "pingpong"

    def __call__(self, index: int) -> int:
        """Target frame shown at output frame ``index`` (0-based)."""
        if index < self.length:
            return index
        if self.extend == "freeze" or self.length == 1:
            return self.length - 1
        phase = index % (2 * self.length - 2)
        return min(phase, 2 * self.length - 2 - phase)


def motion_positions(time: float, window: int, length: int) -> NDArray[np.float64]:
    """Where the motion tokens around ``time`` seconds lie on the 25 Hz grid of ``length`` tokens,
    (window,).

    They are one token (40 ms) apart, the middle one at ``time`` itself; beyond the ends the nearest
    token is held.
    """
    positions = time * MOTION_RATE + np.arange(window, dtype=np.float64) - window // 2
    return np.clip(positions, 0.0, length - 1)


def interpolate(tokens: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate ``tokens`` (M, D) linearly at fractional ``positions`` (P,): (P, D)."""
    # A frame that meets its token up to rounding gets it unblurred.
    low = np.floor(positions + 1e-6).astype(np.intp)
    high = np.minimum(low + 1, len(tokens) - 1)
    weight = np.clip(positions - low, 0.0, 1.0).astype(np.float32)[:, None]
    return np.asarray(tokens[low] * (1 - weight) + tokens[high] * weight, np.float32)
