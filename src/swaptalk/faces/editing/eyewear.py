"""Glasses, told by their bridge: skin between the eyes is smooth, a bridge makes an edge across
it; and where their rims are.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import EYE_RINGS, LEFT_LIDS, RIGHT_LIDS

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
#: Rims are darker than what lies around them and thinner than this, crop pixels.
_THICKEST_RIM = 13
#: How much darker, in grey levels: from the first on a little, from the second on surely. What is
#: darker by the third is followed from the bridge.
_RIM_DARKER, _RIM_FOLLOWED = (8.0, 24.0), 16.0
#: Rims reach up to the lower edge of the brows.
_RIMS_ZONE = np.array(
    [46, 53, 52, 65, 55, 285, 295, 282, 283, 276, 127, 356, 123, 50, 101, 330, 280, 352], np.intp
)
#: What large glasses cover: brows, temples, and the cheeks below the eyes.
_GLASSES_ZONE = np.array(
    [70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 127, 356, 123, 50, 101, 330, 280, 352], np.intp
)
#: Pixels around the lids in which darker things are lashes and lids.
_LIDS = 8
#: Width of the softness around rims (standard deviation), crop pixels.
_RIM_SIGMA = 1.0


class Eyewear(Enum):
    """Glasses in front of a face: none, such whose rims are seen, others (dark or bright ones)."""

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
    if np.median([eyewear_strength(*pair) for pair in pairs]) <= GLASSES_STRENGTH:
        return Eyewear.NONE
    rims = np.mean([bool(glasses_rims(*pair).any()) for pair in pairs])
    return Eyewear.RIMS if rims > 0.5 else Eyewear.OTHER


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
    """Where the dark rims of glasses are: what is joined to their bridge.

    Args:
        picture: (256, 256, 3) uint8 RGB crop of a face with glasses.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (256, 256) in 0..1; 0 everywhere where no rim is seen on both sides of the nose.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_THICKEST_RIM, _THICKEST_RIM))
    darker = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, disc)
    where = _hull(mesh[_RIMS_ZONE])
    for ring in EYE_RINGS:
        cv2.fillPoly(where, [np.round(mesh[ring, :2]).astype(np.int32)], (0,))
        lids = np.round(mesh[ring, :2]).astype(np.int32)
        cv2.polylines(where, [lids], True, (0,), 2 * _LIDS)
    darker = cv2.bitwise_and(darker, where)
    least, sure = _RIM_DARKER
    joined = _joined_to_bridge(np.asarray(darker > _RIM_FOLLOWED, np.uint8), mesh)
    kept = np.asarray(cv2.dilate(joined, np.ones((3, 3), np.uint8)), np.uint8)
    share = np.clip((darker.astype(np.float32) - least) / (sure - least), 0, 1) * kept
    return np.asarray(np.minimum(cv2.GaussianBlur(share, (0, 0), _RIM_SIGMA) * 2, 1), np.float32)


def without_rims(picture: NDArray[np.uint8], rims: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A crop (256, 256, 3) with the brightness of what surrounds its `glasses_rims` in their
    place.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_THICKEST_RIM, _THICKEST_RIM))
    bare = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, disc)
    return np.asarray(cv2.blendLinear(bare, picture, rims, 1 - rims), np.uint8)


def _joined_to_bridge(seen: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Parts (256, 256) of 0 or 1 that reach the bridge of the nose and both sides of it."""
    right, left = (mesh[lids[3], :2] for lids in (RIGHT_LIDS, LEFT_LIDS))  # inner corners
    middle, half = (right + left) / 2, np.linalg.norm(left - right) / 2
    joined = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    kept = np.zeros_like(seen)
    for part in range(1, count):
        first, width = stats[part, cv2.CC_STAT_LEFT], stats[part, cv2.CC_STAT_WIDTH]
        if first < middle[0] - 2 * half and first + width > middle[0] + 2 * half:
            kept[labels == part] = 1
    return kept


def _hull(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What points (N, 2 or 3) span, (256, 256) of 0 or 255."""
    canvas = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    corners = np.round(cv2.convexHull(points[:, :2].astype(np.float32)) * 16).astype(np.int32)
    cv2.fillConvexPoly(canvas, corners, (255,), cv2.LINE_AA, shift=4)
    return canvas
