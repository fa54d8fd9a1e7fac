"""Give a new face's eyes the colour that the light has on the target's own.

The whites of eyes are about the same in all people, skin is not: what turns tanned skin into pale
skin would turn whites blue, and what turns dark skin into pale skin would let them glow.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.eye_shape import LID_POINTS, eye_opening, opening_share
from swaptalk.faces.editing.light import LUMA

#: Whites lie at least so many crop pixels inside the lids, and outside of the iris by this factor
#: of its radius.
_LID_ROOM, _IRIS_ROOM = 1, 1.2
#: Quantile of the brightness from which on pixels count: lashes and shadows are no whites.
_BRIGHT = 0.5
#: Pixels of both eyes from which on their colour is believed, and from which on wholly.
_FEW, _ENOUGH = 10, 36
#: Whites whose channels differ by more than this (natural logarithm) are skin or behind tinted
#: glasses; over the second it fades. Whites only become less coloured.
_MOST_COLOURED, _FADE = 0.35, 0.1
#: Largest factor of a channel relative to the brightness.
_LARGEST = 1.35
#: Whites may be brighter than the target's by this factor, or than the skin below the eyes; they
#: are darkened by no more than the last.
_GLOW, _ABOVE_SKIN, _DARKEST = 1.15, 1.1, 0.65


def match_whites(
    face: NDArray[np.uint8],
    eyes: NDArray[np.floating],
    target: NDArray[np.uint8],
    target_eyes: NDArray[np.floating],
) -> None:
    """Change a face's eyeballs so that their whites have the colour of the target's, and are not
    much brighter than those or the skin.

    Nothing is changed where either shows too little of them. Colour changes only where the target's
    are the less coloured ones.

    Args:
        face: (256, 256, 3) uint8 RGB, changed in place.
        eyes: lids and irises (2, 21, 2) in it, crop pixels.
        target: (256, 256, 3) uint8 RGB.
        target_eyes: lids and irises in it.
    """
    made, made_count = _white(face, eyes)
    wanted, wanted_count = _white(target, target_eyes)
    trust = float(np.clip((min(made_count, wanted_count) - _FEW) / (_ENOUGH - _FEW), 0, 1))
    if not trust:
        return
    factor = _balance(made, wanted) ** trust
    factor *= (made @ LUMA) / ((made * factor) @ LUMA)
    brightest = max(_GLOW * float(wanted @ LUMA), _ABOVE_SKIN * _skin(face, eyes))
    factor *= np.clip(brightest / (made @ LUMA), _DARKEST, 1) ** trust
    if (factor == 1).all():
        return
    for points in eyes:
        box, opening = eye_opening(len(face), points)
        if not opening.size:
            continue
        share = opening_share(opening)
        part = face[box]
        part[...] = np.clip(np.round(part * (1 + share * (factor - 1))), 0, 255).astype(np.uint8)


def _balance(made: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Factors (3,) that give whites of one colour (3,) that of another where that is the less
    coloured one.
    """
    own, other = (float(np.ptp(np.log(colour))) for colour in (made, wanted))
    trust = float(np.clip((_MOST_COLOURED - other) / _FADE, 0, 1))
    trust *= float(np.clip((own - other) / _FADE, 0, 1))
    factor = (wanted / (wanted @ LUMA)) / (made / (made @ LUMA))
    return np.asarray(np.clip(factor, 1 / _LARGEST, _LARGEST) ** trust, np.float32)


def _white(
    picture: NDArray[np.uint8], eyes: NDArray[np.floating]
) -> tuple[NDArray[np.float32], int]:
    """Mean colour (3,) of the whites of both eyes, and their number of pixels."""
    seen = []
    for points in eyes:
        box, opening = eye_opening(len(picture), points)
        if not opening.size:
            continue
        whites = cv2.erode(opening, np.ones((2 * _LID_ROOM + 1,) * 2, np.uint8))
        middle = points[LID_POINTS] - (box[1].start, box[0].start)
        edge = points[LID_POINTS + 1 :] - points[LID_POINTS]
        radius = _IRIS_ROOM * float(np.linalg.norm(edge, axis=1).mean())
        place = tuple(np.round(middle).astype(int).tolist())
        cv2.circle(whites, place, round(radius), (0,), -1)
        seen.append(picture[box][whites == 255])
    pixels = np.concatenate(seen) if seen else np.zeros((0, 3))
    if not len(pixels):
        return np.ones(3, np.float32), 0
    brightness = pixels @ LUMA
    bright = pixels[brightness >= np.quantile(brightness, _BRIGHT)]
    return np.asarray(bright.mean(axis=0) + 1, np.float32), len(bright)


def _skin(picture: NDArray[np.uint8], eyes: NDArray[np.floating]) -> float:
    """Mean brightness of the skin below both eyes, 0..255."""
    seen = []
    for points in eyes:
        box, opening = eye_opening(len(picture), points)
        below = slice(box[0].stop, box[0].stop + len(opening))
        seen.append(picture[below, box[1]].reshape(-1, 3))
    pixels = np.concatenate(seen)
    return float(pixels.mean(axis=0) @ LUMA) if len(pixels) else 255.0
