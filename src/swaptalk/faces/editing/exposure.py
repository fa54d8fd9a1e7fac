"""How bright a face is in each frame, and the exposure that brings it to what is usual for it.

The networks know faces in ordinary light, and a reference's mouth has its own frame's light: in a
fade, a flicker or a flash each frame is brought to the usual exposure before them and back after
them. Values are coded with a power law, so a gain of them is a gain of the light. A fade to or from
white also mixes white into every value, which a gain cannot undo: it lifts the darkest levels.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import LUMA
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
#: The darkest levels are this quantile of the square around a face, half as wide again as the face,
#: on a grid of at most so many points a side: hair, pupils and clothes, of which something is seen
#: behind any hand.
_SHADE_QUANTILE, _SHADE_MARGIN, _SHADE_GRID = 0.03, 0.25, 64
#: How dark they usually are, relative to the skin, is this quantile of a clip's frames.
_USUAL_SHADE = 0.25
#: Shares of white up to the first number are let be, those from the second on are undone wholly.
_VEIL_RAMP = (0.1, 0.25)
#: With a larger share of white than this too little contrast is left to bring back.
PALEST = 7 / 8


class Exposure(NamedTuple):
    """What brings a frame's face to the usual light: first ``veil``, the share of white (0..1) that
    is mixed into it, is taken away, then the rest is multiplied by ``gain``.
    """

    gain: float = 1.0
    veil: float = 0.0

    def apply(self, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A face (H, W, 3) uint8 of the frame in the usual light."""
        scale = self.gain / (1 - self.veil)
        return _mapped(face, scale, -255 * self.veil * scale)

    def undo(self, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A face (H, W, 3) uint8 in the usual light as the frame would show it."""
        return _mapped(face, (1 - self.veil) / self.gain, 255 * self.veil)


def _mapped(face: NDArray[np.uint8], scale: float, offset: float) -> NDArray[np.uint8]:
    if scale == 1 and offset == 0:
        return face
    levels = np.rint(scale * np.arange(256, dtype=np.float32) + np.float32(offset))
    return np.asarray(cv2.LUT(face, np.clip(levels, 0, 255).astype(np.uint8)), np.uint8)


def face_light(picture: NDArray[np.uint8], xy: NDArray[np.floating]) -> tuple[float, float]:
    """Level of a face's skin in a picture, and of the darkest things around it.

    Args:
        picture: RGB (H, W, 3) uint8.
        xy: landmarks (468, 2) in its pixels.

    Returns:
        Luma in 0..255, twice; 0 for a face outside the picture.
    """
    points = np.round(xy[_SKIN]).astype(np.intp)
    inside = (points >= 0).all(axis=1) & (points < picture.shape[1::-1]).all(axis=1)
    if not inside.any():
        return 0.0, 0.0
    x, y = points[inside].T
    skin = picture[y, x].astype(np.float32) @ LUMA
    low, high = xy.min(axis=0), xy.max(axis=0)
    margin = _SHADE_MARGIN * (high - low)
    left, top = np.maximum(low - margin, 0).astype(np.intp)
    right, bottom = np.minimum(high + margin + 1, picture.shape[1::-1]).astype(np.intp)
    step = max(1, int(max(right - left, bottom - top)) // _SHADE_GRID)
    around = picture[top:bottom:step, left:right:step].astype(np.float32) @ LUMA
    return float(np.quantile(skin, _SKIN_QUANTILE)), float(np.quantile(around, _SHADE_QUANTILE))


def exposures(
    light: NDArray[np.floating], shade: NDArray[np.floating], usable: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Exposure of each frame of a clip, and which frames are too dark or too pale to bring back.

    Args:
        light: (N,) levels of the skin as of `face_light`.
        shade: (N,) its darkest levels.
        usable: (N,) frames with a usable face.

    Returns:
        (N, 2) float32 rows of `Exposure`, (1, 0) where the light is about usual; (N,) bool twice.
    """
    found = np.tile(np.array(Exposure(), np.float32), (len(light), 1))
    dark, pale = np.zeros((2, len(light)), np.bool_)
    if not usable.any():
        return found, dark, pale
    veil = _veils(light, shade, usable)
    pale[usable] = veil[usable] > PALEST
    veil[pale] = 0
    light = np.maximum(light - 255 * veil, 0) / (1 - veil)
    counted = usable & ~pale
    if not counted.any():
        return found, dark, pale
    usual = max(float(np.quantile(light[counted], _USUAL)), 1.0)
    stops = np.log2(usual / np.maximum(light[counted], 0.5))
    beyond = np.sign(stops) * np.maximum(np.abs(stops) - _TOLERATED, 0)
    found[counted] = np.stack([np.exp2(beyond), veil[counted]], axis=1)
    lowest = max(usual * DARKEST, min(LOWEST_LEVEL, usual / 2))
    dark[counted] = light[counted] < lowest
    found[dark] = Exposure()
    return found, dark, pale


def _veils(
    light: NDArray[np.floating], shade: NDArray[np.floating], usable: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of white mixed into each frame (N,).

    A gain keeps the ratio of the darkest levels to the skin's; white raises it. The share ``t`` is
    what makes the ratio usual again: (shade - 255 t) = usual ratio x (light - 255 t).
    """
    lit = usable & (light >= np.quantile(light[usable], _USUAL) / 2) & (light > 0)
    if not lit.any():
        return np.zeros(len(light))
    ratio = min(float(np.quantile(shade[lit] / light[lit], _USUAL_SHADE)), 0.9)
    share = np.clip((shade - ratio * light) / (255 * (1 - ratio)), 0, 1)
    low, high = _VEIL_RAMP
    return np.asarray(share * np.clip((share - low) / (high - low), 0, 1), np.float64)
