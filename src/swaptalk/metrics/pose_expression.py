"""Pose and expression error of a swapped clip against the target clip it took them from.

Papers use HopeNet and Deep3DFaceRecon, whose weights cannot be shared here; these measures read the
face mesh instead and carry other units, so they compare only within one run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import LEFT_EYE, LIPS, MIRROR, RIGHT_EYE
from swaptalk.metrics.landmark_distance import ALIGNED_EYE_DISTANCE, align_meshes

#: Upper edge of the subject's right brow and the lower edge below it.
_RIGHT_BROW = np.array([70, 63, 105, 66, 107, 46, 53, 52, 65, 55], np.intp)
#: Points that move with the expression above the nose (52,), and all that do (92,).
UPPER_FACE: NDArray[np.intp] = np.concatenate(
    [RIGHT_EYE, LEFT_EYE, _RIGHT_BROW, MIRROR[_RIGHT_BROW]]
)
EXPRESSIVE: NDArray[np.intp] = np.concatenate([UPPER_FACE, LIPS])


def pose_error(generated: NDArray[np.floating], target: NDArray[np.floating]) -> float:
    """Mean over frames of the Euclidean distance of the head angles (T, 3), yaw, pitch and roll, in
    degrees; 0 is best.

    Raises:
        ValueError: the shapes differ or there is no frame.
    """
    if generated.shape != target.shape or len(target) == 0:
        raise ValueError(
            f"angles of shapes {generated.shape} and {target.shape} cannot be compared"
        )
    difference = (generated.astype(np.float64) - target + 180.0) % 360.0 - 180.0
    return float(np.linalg.norm(difference, axis=1).mean())


def expression_error(
    generated: NDArray[np.floating],
    target: NDArray[np.floating],
    points: NDArray[np.intp] = EXPRESSIVE,
) -> float:
    """Mean distance of landmark movements in % of the eye distance; 0 when the faces move alike.

    Both meshes are aligned by eyes and nose and each clip's own mean shape is subtracted, so that a
    face with other proportions is not an error, only one that moves otherwise (what blendshape
    coefficients express).

    Args:
        generated: meshes (T, 468, 2 or 3) in pixels, T >= 2.
        target: meshes of the same frames of the target clip.
        points: which points count; ``UPPER_FACE`` where the words differ from the target's.

    Raises:
        ValueError: the shapes differ or there are fewer than two frames.
    """
    if generated.shape != target.shape or len(target) < 2:
        raise ValueError(
            f"meshes of shapes {generated.shape} and {target.shape} cannot be compared"
        )
    moves = []
    for meshes in (generated, target):
        aligned = align_meshes(meshes)[:, points]
        moves.append(aligned - aligned.mean(axis=0))
    return float(np.linalg.norm(moves[0] - moves[1], axis=-1).mean() / ALIGNED_EYE_DISTANCE * 100)
