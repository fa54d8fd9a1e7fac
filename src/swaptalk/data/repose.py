"""Turn training photos to another pose.

Triplets of one picture would otherwise show source and answer in the same pose, while the photos
that users give look anywhere.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.pose import Pose
from swaptalk.faces.geometry.topology import MIRROR

#: Largest turn in degrees: beyond it half of what would be seen is not in the picture.
YAW, PITCH, ROLL = 25.0, 18.0, 4.0


def repose(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Turn the face of an aligned crop by a random angle; mirror it half of the time.

    Args:
        picture: (S, S, 3) uint8 RGB aligned crop.
        mesh: (468, 3) in its pixels.
        rng: draws the turn.

    Returns:
        (S, S, 3) uint8 RGB aligned crop, and its mesh (468, 3).
    """
    mesh = np.asarray(mesh, np.float32)
    if rng.random() < 0.5:
        picture, mesh = mirrored(picture, mesh)
    yaw, pitch, roll = rng.uniform(-1, 1, 3) * (YAW, PITCH, ROLL)
    return turn_face(picture, mesh, Pose(yaw, pitch, roll))


def mirrored(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Mirror a crop (S, S, 3) and its mesh (468, 3) left to right."""
    points = np.array(mesh[MIRROR], np.float32)
    points[:, 0] = picture.shape[1] - 1 - points[:, 0]
    return np.ascontiguousarray(picture[:, ::-1]), points


def laid_differently(
    picture: NDArray[np.uint8],
    mesh: NDArray[np.floating],
    rng: np.random.Generator,
    turn: float,
    shift: float,
    scale: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Mirror a crop half of the time, and let the face lie a little differently in it.

    Args:
        picture: (S, S, 3) uint8 RGB.
        mesh: (468, 2 or 3) in its pixels.
        rng: decides how.
        turn: by at most so many degrees.
        shift: by at most this share of the side.
        scale: larger or smaller by at most this share.

    Returns:
        (S, S, 3) uint8, and the mesh (468, 2).
    """
    if rng.random() < 0.5:
        picture, mesh = mirrored(picture, mesh)
    side = len(picture)
    middle = (side - 1) / 2
    angle, size = turn * rng.uniform(-1, 1), 1 + scale * rng.uniform(-1, 1)
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, size), np.float64)
    matrix[:, 2] += shift * side * rng.uniform(-1, 1, 2)
    moved = cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    points = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved, np.uint8), np.asarray(points, np.float32)
