"""Glasses: their rims, which a network finds, and how far it can be relied on: by how many pictures
show them, and by the bridge, which makes an edge across the smooth skin between the eyes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.eyewear_network import measure_rims
from swaptalk.faces.editing.mesh_warp import polygon_mask
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import EYE_RINGS, LEFT_LIDS, RIGHT_LIDS

#: Bridges of thick frames are stronger than this.
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
#: How sure the network must be of some of a rim; what is joined to that belongs to it where the
#: network is as sure as this, since of one rim it is not everywhere as sure.
_SURE, _JOINED = 0.5, 0.06
#: Across a rim a pixel belongs to it where the network is this part as sure as at its ridge: a
#: little from the first on, wholly from the second. The ridge is looked for in so many pixels.
_OF_RIDGE, _RIDGE = (0.4, 0.7), 11
#: Blur (standard deviation, pixels) and then gain that close small gaps along it.
_RIM_SIGMA, _CLOSING = 0.8, 1.4
#: Rims are thinner than this, crop pixels.
_THICKEST_RIM = 13
#: Fewest pixels of rims on each side of the nose.
_LEAST_RIM = 60
#: Points below the eyes, behind lenses, and on the cheeks beside them; skin behind a lens that is
#: darker than this part of the cheek is behind a dark one. Places are so many pixels wide.
_BEHIND_LENSES, _CHEEK_POINTS = (230, 450), (50, 280)
_DARK_LENS, _PLACE = 0.55, 7
#: Rims are found well where no picture shows less than this share of what most of them show, and
#: both sides are met in about as many directions downwards from the eyes. Otherwise thick frames
#: are left to the target, with its eyes: broken glasses look worse.
_STEADY, _UNEVEN = 0.6, 0.5
#: Rims that are met in less than this share of those directions are half.
_FOUND_BELOW = 0.4
#: With a bridge fainter than this, such rims come and go from frame to frame: rather none at all.
_FAINTEST_BRIDGE = 0.05
#: These directions, radians from the line of the eyes.
_BELOW_EYES = np.radians(np.linspace(30, 150, 25))
#: From and to where a rim is looked for, widths of the eye from its middle.
_RIM_DISTANCE = (0.4, 1.5)
#: A picture is repaired in this many pixels around rims, and from so far away.
_REPAIR_MARGIN, _REPAIR_REACH = 2, 4
#: Share of a rim from which a pixel is painted over.
_PAINTED = 0.3


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
    rims = [glasses_rims(*pair) for pair in pairs]
    areas = [float(found.sum()) for found in rims]
    if np.mean([area > 0 for area in areas]) <= 0.5:
        return Eyewear.NONE
    bridge = np.median([eyewear_strength(*pair) for pair in pairs])
    sides = np.median([_below_eyes(*one) for one in zip(rims, meshes, strict=True)], axis=0)
    dark = np.median([_behind_lenses(*pair) for pair in pairs]) < _DARK_LENS
    unsteady = min(areas) < _STEADY * np.median(areas) or np.ptp(sides) > _UNEVEN
    if dark or (unsteady and bridge > GLASSES_STRENGTH):
        return Eyewear.OTHER
    faint = bridge < _FAINTEST_BRIDGE and sides.mean() < _FOUND_BELOW
    return Eyewear.NONE if faint else Eyewear.RIMS


def _below_eyes(rims: NDArray[np.float32], mesh: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of the directions downwards from each eye (2,) in which a rim is met."""
    across = mesh[LEFT_LIDS[3], :2] - mesh[RIGHT_LIDS[3], :2]
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    axes = np.stack([across, [-across[1], across[0]]])
    met = []
    for ring in EYE_RINGS:
        middle, width = mesh[ring, :2].mean(axis=0), float(np.ptp(mesh[ring, :2] @ across))
        distances = width * np.linspace(*_RIM_DISTANCE, 32)
        ways = np.stack([np.cos(_BELOW_EYES), np.sin(_BELOW_EYES)], axis=1) @ axes
        places = (middle + distances[None, :, None] * ways[:, None]).astype(np.float32)
        seen = cv2.remap(rims, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
        met.append(float((seen.max(axis=1) > _PAINTED).mean()))
    return np.array(met)


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
    hull = cv2.convexHull(mesh[_GLASSES_ZONE, :2].astype(np.float32)).reshape(-1, 2)
    return polygon_mask(np.asarray(hull), CROP_SIZE)


def glasses_rims(picture: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the rims of glasses are.

    Args:
        picture: (256, 256, 3) uint8 RGB crop of a face.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (256, 256) in 0..1; 0 everywhere where rims are not seen on both sides of the nose.
    """
    seen = measure_rims(picture) * (glasses_zone(mesh) > 0)
    count, labels = cv2.connectedComponents(np.asarray(seen > _JOINED, np.uint8))
    parts = np.asarray(labels, np.intp)
    surest = np.zeros(count, np.float32)
    np.maximum.at(surest, parts.ravel(), seen.ravel())
    joined = (surest > _SURE)[parts] & (parts > 0)
    ridge = cv2.dilate(seen, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_RIDGE, _RIDGE)))
    least, whole = _OF_RIDGE
    share = (seen / np.maximum(ridge, _JOINED) - least) / (whole - least)
    drawn = np.asarray(np.clip(share, 0, 1) * joined, np.float32)
    found = np.minimum(_CLOSING * cv2.GaussianBlur(drawn, (0, 0), _RIM_SIGMA), 1)
    found = np.asarray(found, np.float32)
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
    seen = np.asarray(cv2.resize(rims, (side, side)) > _PAINTED, np.uint8)
    mask = cv2.dilate(seen, np.ones((2 * reach + 1,) * 2, np.uint8))
    return np.asarray(cv2.inpaint(picture, mask, _REPAIR_REACH, cv2.INPAINT_TELEA), np.uint8)


def without_rims(picture: NDArray[np.uint8], rims: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A crop (256, 256, 3) with the brightness of what surrounds its `glasses_rims` in their
    place.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_THICKEST_RIM, _THICKEST_RIM))
    bare = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, disc)
    return np.asarray(cv2.blendLinear(bare, picture, rims, 1 - rims), np.uint8)
