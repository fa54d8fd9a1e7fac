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
from swaptalk.faces.editing.mesh_warp import (
    mesh_raster,
    mesh_warp,
    skin_weight,
    spread,
    visibility,
)
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import MIRROR, POINT_COUNT

#: A place is in shadow where it is darker than the other side by this much (natural logarithm of
#: the brightness), and than the face's median by this much: else the other side is lit by a lamp.
DARKER, BELOW_MEDIAN = 0.45, 0.15
#: Skin brighter than this is burnt out and no better than a shadow.
BURNT = 235
#: The other side is seen from this share of its frontal area on.
SEEN = 0.5
#: Shadows narrower than twice this are beard, a mole or a fold; and the share of the skin from
#: which on there is a shadow at all.
NARROWEST, LEAST_SHARE = 4, 0.015
#: Eyes and lips between shadows are in them too: gaps of up to twice this are closed. The mask
#: grows to the end of the shadow's soft edge, and fades. Crop pixels.
GAP, GROWTH, FADE = 9, 7, 3.0
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
    inner = (cv2.erode(skin, _disc(3)) > 0) & seen
    if not inner.any():
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    own, other = (_brightness(one) for one in (picture, mirrored))
    dark = (other - own > DARKER) & (own < np.median(own[inner]) - BELOW_MEDIAN)
    dark &= inner & (other < np.log(BURNT))
    found = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, _disc(NARROWEST))
    if found.sum() < LEAST_SHARE * skin.sum():
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    closed = cv2.morphologyEx(found, cv2.MORPH_CLOSE, _disc(GAP))
    grown = cv2.dilate(closed, _disc(GROWTH)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), FADE), np.float32)


def _brightness(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(np.log(luma(picture)), (0, 0), _SIGMA), np.float32)


def _disc(radius: int) -> NDArray[np.uint8]:
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return np.asarray(shape, np.uint8)
