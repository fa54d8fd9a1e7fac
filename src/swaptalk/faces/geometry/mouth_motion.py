"""Motion tokens: how a mouth moves, measured from landmarks in training, predicted from sound when
running.

A token describes one picture by numbers that do not depend on who speaks or where the head points:
lips and jaw in the face's own frame, in units of the eye distance. Anything that shows a moving
mouth teaches "tokens and a reference -> lower half"; only "sound -> tokens" needs synchronous
speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.pose import rotation_matrix

#: Pairs (upper, lower) of inner-lip points from corner to corner: the opening of the mouth along
#: its width.
INNER_LIP_PAIRS = ((80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318))
#: Outer lips, clockwise from the subject's right corner: upper edge, then lower edge.
OUTER_LIP = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
#: Inner corners of the lips.
INNER_CORNERS = (78, 308)
#: Chin and jaw to both sides of it.
JAW = (152, 176, 400)
#: Base of the nose: speech hardly moves it, so the mouth is measured from here.
NOSE_BASE = 2
#: Outer eye corners: their distance is the unit.
EYE_CORNERS = (33, 263)

_POINTS = np.array(OUTER_LIP + INNER_CORNERS + JAW, np.intp)
_UPPER = np.array([a for a, _ in INNER_LIP_PAIRS], np.intp)
_LOWER = np.array([b for _, b in INNER_LIP_PAIRS], np.intp)
#: The openings stand first in a token; they are absolute (0 is closed), everything after them is
#: relative to the speaker's own mean, because the shape of a resting mouth belongs to the person
#: and not to the speech.
ABSOLUTE_CHANNELS = len(INNER_LIP_PAIRS)
#: Width of a raw measurement.
MOTION_CHANNELS = ABSOLUTE_CHANNELS + 2 * len(_POINTS)


def measure_motion(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Raw mouth measurement of a mesh.

    Args:
        points: (468 or 478, 3) mesh in pixels, depth on the scale of x and y.

    Returns:
        (MOTION_CHANNELS,) float32 in eye distances: seven openings of the inner lips, then x and y
        of lip and jaw points from the base of the nose, the head turned to face the camera.
    """
    rotation = rotation_matrix(points[:468])
    frontal = (
        np.asarray(points, np.float64) - points[NOSE_BASE]
    ) @ rotation  # columns of the rotation: face axes
    unit = float(np.linalg.norm(frontal[EYE_CORNERS[0]] - frontal[EYE_CORNERS[1]]))
    openings = np.linalg.norm(frontal[_UPPER, :2] - frontal[_LOWER, :2], axis=1)
    return np.concatenate([openings, frontal[_POINTS, :2].ravel()]).astype(np.float32) / np.float32(
        max(unit, 1e-6)
    )


@dataclass(frozen=True)
class MotionStatistics:
    """Scale of the tokens: ``token = (raw - speaker_mean) / spread``, all arrays (MOTION_CHANNELS,)
    float32.

    ``mean`` is the training set's mean of raw measurements, used where a speaker's own mean is
    unknown. ``silence`` is the token of a closed mouth at rest.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    silence: NDArray[np.float32]


def normalize_motion(
    raw: NDArray[np.float32], speaker_mean: NDArray[np.float32], statistics: MotionStatistics
) -> NDArray[np.float32]:
    """Tokens (..., D) of raw measurements (..., D): openings keep their zero, shapes lose the
    speaker's own mean.

    Args:
        raw: measurements of `measure_motion`.
        speaker_mean: (D,) mean raw measurement of the clip; its openings are replaced by the
            training set's.
        statistics: the scale.
    """
    centre = speaker_mean.copy()
    centre[:ABSOLUTE_CHANNELS] = statistics.mean[:ABSOLUTE_CHANNELS]
    return np.asarray((raw - centre) / statistics.spread, np.float32)
