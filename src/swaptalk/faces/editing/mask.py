"""Soft masks in the aligned crop: where the new face or the new mouth replaces the picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE, HALF_ROW
from swaptalk.faces.geometry.topology import (
    CHIN,
    EYE_RINGS,
    FACE_OVAL,
    LEFT_BROW,
    NOSE,
    OUTER_LIPS,
    POINT_COUNT,
    RIGHT_BROW,
)

#: Masks are drawn this much smaller and enlarged: they hold nothing finer than their fade.
_STEP = 4
#: They are drawn with this much room around (in drawn pixels): a chin at the crop's edge is blurred
#: as one that is not.
_ROOM = 8
#: Fade of the face's outline, crop pixels (standard deviation): the mask is 0 on the outline of jaw
#: and hairline and 1 about two of these inside. Narrower shows a seam where the new face is a
#: little slimmer or wider, wider brings back the old face's cheeks.
FACE_FADE = 9.0
#: Fade of the mouth's region, which is centred on its outline: an opening jaw moves the chin across
#: it.
MOUTH_FADE = 7.0
#: The crop's own border must not show: masks vanish over this many pixels from it.
BORDER_FADE = 10
#: Below this much of the lower half's first row the mouth's mask may begin: above, the picture is
#: the target's own.
_MOUTH_TOP_MARGIN = 4
#: Upper edge of the mouth's region from the subject's right to the left: cheekbones, and the nose's
#: base in between.
_MOUTH_TOP = (137, 123, 50, 205, 98, 2, 327, 425, 280, 352, 366)


_NOT_NOSE = np.setdiff1d(np.arange(POINT_COUNT), NOSE)


def disc(radius: int) -> NDArray[np.uint8]:
    """What `cv2.dilate` and the like grow a mask by: (2 radius + 1, 2 radius + 1) of 0 and 1."""
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return np.asarray(shape, np.uint8)


def brows(mesh: NDArray[np.floating], size: int, room: int) -> NDArray[np.uint8]:
    """Both brows and so many pixels around them, (size, size) of 0 or 255.

    Args:
        mesh: (468, 2 or 3) in pixels of the mask.
    """
    mask = np.zeros((size, size), np.uint8)
    for brow in (RIGHT_BROW, LEFT_BROW):
        hull = cv2.convexHull(np.round(mesh[brow, :2]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, (255,))
    return np.asarray(cv2.dilate(mask, disc(room)), np.uint8)


def eyes_and_lips(mesh: NDArray[np.floating], size: int, room: int) -> NDArray[np.uint8]:
    """Eyes, lips and so many pixels around them, (size, size) of 0 or 255.

    Args:
        mesh: (468, 2 or 3) in pixels of the mask.
    """
    mask = np.zeros((size, size), np.uint8)
    for ring in (*EYE_RINGS, OUTER_LIPS):
        hull = cv2.convexHull(np.round(mesh[ring, :2]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, (255,))
    return np.asarray(cv2.dilate(mask, disc(room)), np.uint8)


def _mouth_outline() -> NDArray[np.intp]:
    """The upper edge, closed along the face's outline over the chin."""
    oval = list(FACE_OVAL)
    oval = oval[oval.index(_MOUTH_TOP[-1]) :] + oval[: oval.index(_MOUTH_TOP[-1])]
    jaw = oval[1 : oval.index(_MOUTH_TOP[0])]
    if CHIN not in jaw:  # the outline runs the other way round
        jaw = oval[: oval.index(_MOUTH_TOP[0]) : -1]
    return np.array([*_MOUTH_TOP, *jaw], np.intp)


_MOUTH_OUTLINE = _mouth_outline()


def _border_fade() -> NDArray[np.float32]:
    distance = np.minimum(np.arange(CROP_SIZE), np.arange(CROP_SIZE)[::-1]).astype(np.float32)
    ramp = np.clip(distance / BORDER_FADE, 0, 1)
    return np.asarray(np.minimum(ramp[:, None], ramp[None]), np.float32)


_BORDER = _border_fade()
#: Rows of the upper half stay the target's in lip-sync alone; the step is soft.
_LOWER_HALF = np.clip(
    (np.arange(CROP_SIZE, dtype=np.float32) - HALF_ROW - _MOUTH_TOP_MARGIN) / 16, 0, 1
)[:, None]


def _drawn(polygons: Sequence[NDArray[np.floating]], size: int) -> NDArray[np.uint8]:
    """Small canvas with room around on which polygons (N, 2 or 3) of crop pixels are filled with
    255.
    """
    side = size // _STEP + 2 * _ROOM
    canvas = np.zeros((side, side), np.uint8)
    for polygon in polygons:
        # ``resize`` keeps pixel edges, hence the halves.
        small = (polygon[:, :2] + 0.5) / _STEP - 0.5 + _ROOM
        cv2.fillPoly(canvas, [np.round(small * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    return canvas


def _enlarge(canvas: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    inner = np.ascontiguousarray(canvas[_ROOM:-_ROOM, _ROOM:-_ROOM], np.float32)
    return np.asarray(cv2.resize(inner, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def inner_fade(
    mesh: NDArray[np.floating],
    width: float,
    size: int = CROP_SIZE,
    points: NDArray[np.intp] = _NOT_NOSE,
) -> NDArray[np.float32]:
    """Mask (size, size) that is 0 on the face's outline and 1 about two ``width`` pixels inside,
    smooth in between.

    ``points`` of the mesh span the face; the nose, which may stand out of it, is always added.
    """
    # The outline's points change as the head turns, the hull is always right but for the nose,
    # which stands out.
    hull, nose = (
        np.asarray(cv2.convexHull(mesh[part, :2].astype(np.float32)), np.float32).reshape(-1, 2)
        for part in (points, NOSE)
    )
    canvas = _drawn([hull, nose], size)
    blurred = np.asarray(cv2.GaussianBlur(canvas, (0, 0), width / _STEP), np.float32) / 255
    # On the outline half of the blur is left, and a little more, because the filled pixels include
    # the edge.
    return _enlarge(np.clip((blurred - 0.6) / 0.4, 0, 1), size)


def face_mask(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mask of the whole face, (256, 256) float32 in 0..1, from its mesh (468, 2 or 3) in crop
    pixels.
    """
    return inner_fade(mesh, FACE_FADE) * _BORDER


def mouth_region(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Outline (N, 2) of the lower face in crop pixels: below cheekbones and nose, down to the jaw
    and the chin.
    """
    return np.asarray(mesh[_MOUTH_OUTLINE, :2], np.float32)


def mouth_mask(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mask of the part that lip-sync regenerates, (256, 256) float32 in 0..1: cheeks, mouth, jaw
    and chin.

    Args:
        mesh: (468, 2 or 3) points in crop pixels.
    """
    blurred = cv2.GaussianBlur(_drawn([mouth_region(mesh)], CROP_SIZE), (0, 0), MOUTH_FADE / _STEP)
    mask = _enlarge(np.asarray(blurred, np.float32) / 255, CROP_SIZE)
    return np.asarray(mask * _BORDER * _LOWER_HALF, np.float32)
