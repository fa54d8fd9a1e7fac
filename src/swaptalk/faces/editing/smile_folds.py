"""Smooth the folds that a smile makes, where the face that is wanted does not smile.

A mesh moves the corners of a smiling mouth back, but the folds beside it stay in the photo's
texture: on a face that speaks they look like scars.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mask import disc
from swaptalk.faces.editing.mesh_warp import skin_weight

#: Corners of the mouth and outer corners of the eyes.
_MOUTH, _EYES = (61, 291), (33, 263)
#: Difference of the mouths' widths, eye distances, from which on folds are smoothed, and from which
#: on wholly: a smile widens a mouth by about .15.
NARROWER = (0.03, 0.13)
#: Points around the folds of each side, from the wing of the nose to below the corner of the mouth.
FOLDS = (
    (129, 36, 205, 187, 192, 214, 212, 202, 57, 186, 92, 165, 203),
    (358, 266, 425, 411, 416, 434, 432, 422, 287, 410, 322, 391, 423),
)
#: Share of the relief (natural logarithm of the brightness over its surroundings) that goes, the
#: scale of the surroundings (standard deviation, share of the crop), and the relief from which on
#: it is less, since it is a beard: none is taken off from 1.6 times that on.
SMOOTHED, FOLD_SIGMA, BEARD = 0.75, 0.03, 0.6
#: Width of the thin dark lines that are filled, share of the crop; as much as skin around them is
#: bright, where that is skin: darker than its surroundings by no more than the first, wholly by the
#: second.
CREASE, CREASE_DARKNESS = 0.043, (0.35, 0.2)
#: Smoothing from which on a place gets the broad colour of its skin: shade in folds is redder.
RECOLOURED = 0.25
_SKIN_EDGE, _ZONE_EDGE = 1.5, 5.0


def fold_share(before: NDArray[np.floating], after: NDArray[np.floating]) -> float:
    """How far folds should be smoothed, 0..1, when a face's mesh (468, 3) is moved to another."""
    first, last = NARROWER
    return float(np.clip((_width(before) - _width(after) - first) / (last - first), 0, 1))


def _width(mesh: NDArray[np.floating]) -> float:
    mouth, eyes = (float(np.linalg.norm(mesh[a] - mesh[b])) for a, b in (_MOUTH, _EYES))
    return mouth / max(eyes, 1e-6)


def smooth_folds(
    picture: NDArray[np.uint8], plain: NDArray[np.uint8], mesh: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """A face (S, S, 3) uint8 RGB without folds beside the mouth.

    Args:
        picture: (S, S, 3) uint8 RGB.
        plain: the same in the broad colours of its skin.
        mesh: (468, 2 or 3) in its pixels.
    """
    size = len(picture)
    skin = skin_weight(mesh, size)
    zone = fold_zone(mesh, size) * cv2.GaussianBlur(skin, (0, 0), _SKIN_EDGE)
    before = np.log(luma(picture))
    filled = before + _creases(before, _surroundings(before, skin))
    relief = cv2.GaussianBlur(filled, (0, 0), 0.8) - _surroundings(filled, skin)
    smoothed = SMOOTHED * np.clip(1.6 - np.abs(relief) / BEARD, 0, 1)
    change = zone * (filled - smoothed * relief - before)
    share = np.minimum(np.abs(change) / RECOLOURED, 1)[..., None]
    mixed = picture + share * (plain.astype(np.float32) - picture)
    lit = np.round(mixed * np.exp(change)[..., None])
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def fold_zone(mesh: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Where folds may be, (size, size) in 0..1, of a mesh (468, 2 or 3) in pixels of the mask."""
    canvas = np.zeros((size, size), np.uint8)
    for points in FOLDS:
        hull = cv2.convexHull(np.round(mesh[list(points), :2]).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, (255,))
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), _ZONE_EDGE), np.float32) / np.float32(255)


def _surroundings(
    brightness: NDArray[np.float32], skin: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean (S, S) of the skin around each place."""
    sigma, weight = FOLD_SIGMA * len(skin), skin + np.float32(1e-3)
    total = cv2.GaussianBlur(brightness * weight, (0, 0), sigma)
    return np.asarray(total / cv2.GaussianBlur(weight, (0, 0), sigma), np.float32)


def _creases(
    brightness: NDArray[np.float32], surroundings: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What fills thin dark lines in skin, (S, S); not the hairs of a beard."""
    radius = round(CREASE * len(brightness) / 2)
    closed = cv2.morphologyEx(brightness, cv2.MORPH_CLOSE, disc(radius))
    closed = cv2.GaussianBlur(closed, (0, 0), _SKIN_EDGE)
    dark, fair = CREASE_DARKNESS
    is_skin = np.clip((closed - surroundings + dark) / (dark - fair), 0, 1)
    return np.asarray(is_skin * np.maximum(closed - brightness, 0), np.float32)
