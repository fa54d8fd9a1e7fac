"""How bright a face is in each frame, and the exposure that brings it to what is usual for it.

The networks know faces in ordinary light, and a reference's mouth has its own frame's light: in a
fade, a flicker or a flash each frame is brought to the usual exposure before them and back after
them. Values are coded with a power law, so a gain of them is a gain of the light.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import (
    FACE_OVAL,
    LEFT_EYE,
    LIPS,
    NOSE,
    POINT_COUNT,
    RIGHT_EYE,
)

#: Points of the mesh on skin, away from the outline, and the quantile of their levels that is the
#: face's light: shadows, beards and hands are darker.
_SKIN = np.setdiff1d(
    np.arange(POINT_COUNT), np.concatenate([FACE_OVAL, LEFT_EYE, RIGHT_EYE, LIPS, NOSE[-3:]])
)
_SKIN_QUANTILE = 0.65
#: This quantile of a clip's frames is its usual light: a fade may take half of a short clip.
_USUAL = 0.75
#: Differences up to this many stops are let be: expression and pose change as much, and the
#: networks cope.
_TOLERATED = 0.4
#: Frames darker than this part of the usual light, or this level, hold too few levels to bring
#: back.
DARKEST, LOWEST_LEVEL = 1 / 12, 8.0


def face_light(picture: NDArray[np.uint8], xy: NDArray[np.floating]) -> float:
    """Level of a face's skin in a picture.

    Args:
        picture: RGB (H, W, 3) uint8.
        xy: landmarks (468, 2) in its pixels.

    Returns:
        Luma in 0..255; 0 for a face outside the picture.
    """
    points = np.round(xy[_SKIN]).astype(np.intp)
    inside = (points >= 0).all(axis=1) & (points < picture.shape[1::-1]).all(axis=1)
    if not inside.any():
        return 0.0
    x, y = points[inside].T
    luma = picture[y, x].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return float(np.quantile(luma, _SKIN_QUANTILE))


def exposure_gains(
    light: NDArray[np.floating], usable: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Gain that brings each frame of a clip to the usual light, and which frames are too dark.

    Args:
        light: (N,) as of `face_light`.
        usable: (N,) frames with a usable face.

    Returns:
        (N,) float32, 1 where the light is about usual, and (N,) bool.
    """
    gains, dark = np.ones(len(light), np.float32), np.zeros(len(light), np.bool_)
    if not usable.any():
        return gains, dark
    usual = max(float(np.quantile(light[usable], _USUAL)), 1.0)
    stops = np.log2(usual / np.maximum(light[usable], 0.5))
    beyond = np.sign(stops) * np.maximum(np.abs(stops) - _TOLERATED, 0)
    gains[usable] = np.exp2(beyond)
    lowest = max(usual * DARKEST, min(LOWEST_LEVEL, usual / 2))
    dark[usable] = light[usable] < lowest
    gains[dark] = 1
    return gains, dark


def expose(face: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    """A face (H, W, 3) uint8 in so much more light; a gain of 1 returns it as it is."""
    return face if gain == 1 else np.asarray(cv2.convertScaleAbs(face, alpha=gain), np.uint8)
