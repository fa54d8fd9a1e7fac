"""Hard shadows on one side of the face in a photo: found by comparing it with its mirror image.

Light that comes from one side is exchanged as a whole, but not the edges of a shadow that a nose, a
brow or a hat casts: they would be carried over as dark patches. Where one side of a face is much
darker than the other, the other side takes its place (`swaptalk.faces.editing.hair.uncover`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mask import disc
from swaptalk.faces.editing.mesh_warp import (
    mesh_raster,
    mesh_warp,
    skin_weight,
    spread,
    visibility,
)
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import MIRROR, POINT_COUNT

#: A place is surely in shadow where it is darker than the other side by this much (natural
#: logarithm of the brightness), and than the face's median by this much: else a lamp lights the
#: other side.
DARKER, BELOW_MEDIAN = 0.45, 0.15
#: What is darker than the other side by this much belongs to the shadow beside it.
BESIDE = 0.2
#: Skin brighter than this is burnt out and no better than a shadow.
BURNT = 235
#: The other side is seen from this share of its frontal area on: the far side of a turned face is
#: no better than the shadow on the near one.
SEEN = 0.7
#: What is narrower than twice this is beard, a mole or a fold; smaller shadows than this share of
#: the skin look more natural than their edges would.
NARROWEST, LEAST_SHARE = 4, 0.06
#: Eyes and lips between shadows are in them too: gaps of up to twice this are closed. The mask
#: grows to the end of the shadow's soft edge, and fades. Crop pixels.
GAP, GROWTH, FADE = 12, 7, 3.0
#: Blur of the brightness that is compared: pores and stubble are no shadow.
_SIGMA = 2.5


def shadow_mask(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where one side of a face lies in a shadow that the other does not have.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 3) in its pixels.

    Returns:
        (256, 256) in 0..1; 0 everywhere where there is no such shadow.
    """
    mesh = np.asarray(mesh, np.float32)
    raster, everything = mesh_raster(mesh), np.ones(POINT_COUNT, np.float32)
    mirrored = mesh_warp(picture, mesh, mesh, everything, raster=raster)
    skin = skin_weight(mesh, CROP_SIZE)
    seen = spread(visibility(mesh)[MIRROR], raster, CROP_SIZE) > SEEN
    inner = (cv2.erode(skin, disc(3)) > 0) & seen
    if not inner.any():
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    own, other = (_brightness(one) for one in (picture, mirrored))
    dark = (other - own > DARKER) & (own < np.median(own[inner]) - BELOW_MEDIAN)
    dark &= inner & (other < np.log(BURNT))
    found = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, disc(NARROWEST))
    sure = _large(np.asarray(found, np.uint8), LEAST_SHARE * float(skin.sum()))
    beside = ((other - own > BESIDE) & inner).astype(np.uint8)
    beside = np.asarray(cv2.morphologyEx(beside, cv2.MORPH_OPEN, disc(NARROWEST)), np.uint8)
    _, parts = cv2.connectedComponents(sure | beside)
    shadow = np.isin(parts, parts[sure > 0]).astype(np.uint8)
    closed = cv2.morphologyEx(shadow, cv2.MORPH_CLOSE, disc(GAP))
    grown = cv2.dilate(closed, disc(GROWTH)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), FADE), np.float32)


def _large(mask: NDArray[np.uint8], least: float) -> NDArray[np.uint8]:
    """The connected parts of a mask of 0 and 1 that have so many pixels."""
    _, parts, measures, _ = cv2.connectedComponentsWithStats(mask)
    large = measures[:, cv2.CC_STAT_AREA] >= least
    return np.asarray(mask * large[parts], np.uint8)


def _brightness(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(np.log(luma(picture)), (0, 0), _SIGMA), np.float32)
