"""Glasses: their rims, which a network finds, and others, told by their bridge: skin between the
eyes is smooth, a bridge makes an edge across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.eyewear_network import measure_rims
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import LEFT_LIDS, RIGHT_LIDS

#: Faces with more than this strength wear glasses: of 1,500 photographs it flags 3 %, four in five
#: of them rightly (the rest are hair, hats and deep shadows between the brows); thin rims without a
#: bar stay below.
GLASSES_STRENGTH = 0.15
#: The place looked at, in distances of the inner eye corners: from below the brows to the middle of
#: the nose, and as wide as a bridge at least is.
_ABOVE, _BELOW, _HALF_WIDTH = 0.6, 0.7, 0.22
#: Rows and columns that it is resampled to.
_ROWS, _COLUMNS = 64, 24
#: Blur (rows; pixels of the crop) that leaves edges of a bridge and takes pores and noise.
_ROW_SIGMA, _PIXEL_SIGMA = 1.0, 1.2
#: Grey levels added before the logarithm, so that dark pictures' noise is no edge.
_DARK = 8.0
#: What large glasses cover: brows, temples, and the cheeks below the eyes.
_GLASSES_ZONE = np.array(
    [70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 127, 356, 123, 50, 101, 330, 280, 352], np.intp
)
#: The network is believed from the first of these on, and surely from the second.
_SURE = (0.35, 0.65)
#: Rims are thinner than this, crop pixels.
_THICKEST_RIM = 13
#: Fewest pixels of rims on each side of the nose.
_LEAST_RIM = 60
#: Points below the eyes, behind lenses, and on the cheeks beside them; skin behind a lens that is
#: darker than this part of the cheek is behind a dark one. Places are so many pixels wide.
_BEHIND_LENSES, _CHEEK_POINTS = (230, 450), (50, 280)
_DARK_LENS, _PLACE = 0.55, 7
#: A picture is repaired in this many pixels around rims, and from so far away.
_REPAIR_MARGIN, _REPAIR_REACH = 2, 4


class Eyewear(Enum):
    """Glasses in front of a face: none, such whose rims are seen, others, such as dark ones."""

    NONE = "none"
    RIMS = "rims"
    OTHER = "other"


def eyewear(
    pictures: Sequence[NDArray[np.uint8]], meshes: Sequence[NDArray[np.float32]]
) -> Eyewear:
    """What most pictures of one person show.

    Args:
        pictures: crops (256, 256, 3) uint8 RGB, at least one.
        meshes: (468, 2 or 3) in their pixels.
    """
    pairs = list(zip(pictures, meshes, strict=True))
    if np.mean([bool(glasses_rims(*pair).any()) for pair in pairs]) > 0.5:
        seen_through = np.median([_behind_lenses(*pair) for pair in pairs]) > _DARK_LENS
        return Eyewear.RIMS if seen_through else Eyewear.OTHER
    bridge = np.median([eyewear_strength(*pair) for pair in pairs])
    return Eyewear.OTHER if bridge > GLASSES_STRENGTH else Eyewear.NONE


def _behind_lenses(picture: NDArray[np.uint8], mesh: NDArray[np.float32]) -> float:
    """Brightness of the skin below the eyes, relative to the cheeks'."""
    grey = cv2.blur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (_PLACE, _PLACE))
    levels = []
    for points in (_BEHIND_LENSES, _CHEEK_POINTS):
        columns, rows = np.clip(np.round(mesh[list(points), :2].T).astype(int), 0, CROP_SIZE - 1)
        levels.append(float(grey[rows, columns].mean()))
    return levels[0] / max(levels[1], 1.0)


def eyewear_strength(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> float:
    """How strong an edge runs across the bridge of the nose: largest step of its mean log luminance
    from row to row.

    Args:
        picture: (S, S, 3) uint8 RGB crop of a face.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        0 and more; median 0.016, see `GLASSES_STRENGTH`.
    """
    right, left = (mesh[lids[3], :2] for lids in (RIGHT_LIDS, LEFT_LIDS))  # inner corners
    middle, across = (right + left) / 2, left - right
    upwards = np.array([across[1], -across[0]])
    columns = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, _COLUMNS)[None, :, None]
    rows = np.linspace(_ABOVE, -_BELOW, _ROWS)[:, None, None]
    places = (middle + columns * across + rows * upwards).astype(np.float32)
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), _PIXEL_SIGMA)
    bridge = cv2.remap(
        grey, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    luminance = np.log(bridge.astype(np.float32) + _DARK).mean(axis=1, keepdims=True)
    return float(np.abs(np.diff(cv2.GaussianBlur(luminance, (1, 0), _ROW_SIGMA), axis=0)).max())


def glasses_zone(mesh: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What large glasses cover in a crop, (256, 256) of 0 or 255."""
    return _hull(mesh[_GLASSES_ZONE])


def glasses_rims(picture: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the rims of glasses are.

    Args:
        picture: (256, 256, 3) uint8 RGB crop of a face.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (256, 256) in 0..1; 0 everywhere where rims are not seen on both sides of the nose.
    """
    least, sure = _SURE
    found = np.clip((measure_rims(picture) - least) / (sure - least), 0, 1).astype(np.float32)
    found *= glasses_zone(mesh) > 0
    middle = round(float((mesh[RIGHT_LIDS[3], 0] + mesh[LEFT_LIDS[3], 0]) / 2))
    sides = found[:, : max(middle, 0)].sum(), found[:, max(middle, 0) :].sum()
    return found if min(sides) > _LEAST_RIM else np.zeros_like(found)


def paint_over(picture: NDArray[np.uint8], rims: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A crop whose `glasses_rims` are painted over from both of their sides (Telea 2004).

    Args:
        picture: (S, S, 3) uint8 RGB.
        rims: (256, 256) in 0..1.
    """
    side = len(picture)
    reach = round(_REPAIR_MARGIN * side / CROP_SIZE)
    seen = np.asarray(cv2.resize(rims, (side, side)) > _SURE[0], np.uint8)
    mask = cv2.dilate(seen, np.ones((2 * reach + 1,) * 2, np.uint8))
    return np.asarray(cv2.inpaint(picture, mask, _REPAIR_REACH, cv2.INPAINT_TELEA), np.uint8)


def without_rims(picture: NDArray[np.uint8], rims: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A crop (256, 256, 3) with the brightness of what surrounds its `glasses_rims` in their
    place.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_THICKEST_RIM, _THICKEST_RIM))
    bare = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, disc)
    return np.asarray(cv2.blendLinear(bare, picture, rims, 1 - rims), np.uint8)


def _hull(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What points (N, 2 or 3) span, (256, 256) of 0 or 255."""
    canvas = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    corners = np.round(cv2.convexHull(points[:, :2].astype(np.float32)) * 16).astype(np.int32)
    cv2.fillConvexPoly(canvas, corners, (255,), cv2.LINE_AA, shift=4)
    return canvas
