"""Hair, jewellery and hands in front of the face in a photo: found, and replaced by what the other
side of the face shows.

They would be carried over as if they were features of the face.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.hair_network import measure_hair
from swaptalk.faces.editing.mesh_warp import mesh_warp, polygon_mask, spread, visibility
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import (
    EYE_RINGS,
    FACE_OVAL,
    LEFT_BROW,
    MIRROR,
    OUTER_LIPS,
    POINT_COUNT,
    RIGHT_BROW,
)

#: What is joined to a place where the network is as sure as the first number belongs to it where
#: the network is as sure as the second.
_SURE, _JOINED = 0.7, 0.25
#: What is found grows by so many crop pixels, and its edge fades (standard deviation): strands
#: beside a lock and its shadow.
_GROWTH, _FADE = 9, 2.0
#: Faces that are covered by less than the first share are let be, those by more than the second,
#: too: there the network errs, or nothing could be put in its place.
_LEAST_COVERED, _MOST_COVERED = 0.004, 0.5
#: A point of the other side is used from this share of its frontal area on, wholly from the second.
_SEEN = (0.35, 0.65)
#: Blur (standard deviation, share of the crop) of how light differs between both sides, and of
#: colours where neither is seen.
_LIGHT_SIGMA, _COLOUR_SIGMA = 0.08, 0.04
#: Features that are left as they are where the other side does not show them either, and room
#: around them in crop pixels: without them it would be another face.
_FEATURES = (*EYE_RINGS, RIGHT_BROW, LEFT_BROW, OUTER_LIPS)
_FEATURE_ROOM = 2
#: Grey levels added before the logarithm of a ratio, the step of what is smooth, and the share of
#: known places in the surroundings that is enough to be trusted.
_DARK, _STEP, _ENOUGH = 4.0, 4, 0.15


def hair_mask(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where something lies in front of a face.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (256, 256) in 0..1; 0 everywhere where too little or too much of the face is covered.
    """
    sure = measure_hair(picture)
    face = polygon_mask(_outline(mesh), CROP_SIZE)
    count, labels = cv2.connectedComponents(np.asarray(sure > _JOINED, np.uint8))
    parts = np.asarray(labels, np.intp)
    surest = np.zeros(count, np.float32)
    np.maximum.at(surest, parts.ravel(), (sure * (face > 0)).ravel())
    found = np.asarray((surest > _SURE)[parts] & (parts > 0), np.uint8)
    share = float(found[face > 0].mean()) if face.any() else 0.0
    if not _LEAST_COVERED < share < _MOST_COVERED:
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GROWTH + 1,) * 2)
    grown = cv2.dilate(found, disc).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), _FADE), np.float32)


def uncover(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], covered: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Replace what lies in front of a face by the other side of it, in the light of this side.

    Where the other side is covered or turned away, too, the colours of the skin around are taken.

    Args:
        picture: (S, S, 3) uint8 RGB crop, or the same crop finer.
        mesh: (468, 2 or 3) in pixels of the crop of 256.
        covered: `hair_mask` (256, 256).

    Returns:
        (S, S, 3) uint8; outside the face as it was.
    """
    side = len(picture)
    mesh = (np.asarray(mesh, np.float32) + np.float32(0.5)) * (side / CROP_SIZE) - np.float32(0.5)
    hidden = _scaled(covered, side)
    everything = np.ones(POINT_COUNT, np.float32)
    other = mesh_warp(picture, mesh, mesh, everything)
    layer = np.asarray(cv2.merge([np.asarray(255 * hidden, np.uint8)] * 3), np.uint8)
    other_hidden = mesh_warp(layer, mesh, mesh, everything)[..., 0] / np.float32(255)
    area = visibility(mesh * np.float32(CROP_SIZE / side))[MIRROR]
    seen = spread(np.clip((area - _SEEN[0]) / (_SEEN[1] - _SEEN[0]), 0, 1), mesh, side)
    usable = seen * np.clip(1 - 2 * other_hidden, 0, 1)
    face = polygon_mask(_outline(mesh), side) > 127
    free = np.asarray(face * np.clip(1 - 2 * hidden, 0, 1), np.float32)
    lit = other * _side_light(picture, other, free * usable)
    plain = _spread_colours(picture, free)
    filled = plain + usable[..., None] * (lit - plain)
    share = hidden * (1 - (1 - usable) * _features(mesh, side))
    share = (share * _scaled(face.astype(np.float32), side))[..., None]
    mixed = picture + share * (filled - picture)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _outline(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    hull = cv2.convexHull(np.asarray(mesh[FACE_OVAL, :2], np.float32))
    return np.asarray(hull, np.float32).reshape(-1, 2)


def _scaled(mask: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _features(mesh: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Eyes, brows and lips with some room around, (S, S) in 0..1."""
    canvas = np.zeros((side, side), np.uint8)
    for ring in _FEATURES:
        hull = cv2.convexHull(np.round(mesh[ring, :2]).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, (255,))
    room = round(_FEATURE_ROOM * side / CROP_SIZE)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * room + 1,) * 2)
    soft = cv2.GaussianBlur(cv2.dilate(canvas, disc), (0, 0), room / 2)
    return np.asarray(soft, np.float32) / np.float32(255)


def _side_light(
    picture: NDArray[np.uint8], other: NDArray[np.uint8], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Gain (S, S, 3) that gives the mirrored face the light of this side, where both show skin and
    smoothly beyond.
    """
    ratio = np.log((picture + np.float32(_DARK)) / (other + np.float32(_DARK)))
    return np.exp(_smooth(ratio, weight, _LIGHT_SIGMA))


def _spread_colours(picture: NDArray[np.uint8], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (S, S, 3) of the skin around every place."""
    return _smooth(picture.astype(np.float32), weight, _COLOUR_SIGMA)


def _smooth(
    values: NDArray[np.float32], weight: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """Weighted mean (S, S, 3) of the surroundings: near ones where there are some, else far
    ones.
    """
    side = len(values)
    small = (side // _STEP, side // _STEP)
    parts = np.dstack([values * weight[..., None], weight])
    coarse = cv2.resize(parts, small, interpolation=cv2.INTER_AREA)
    found: NDArray[np.float32] | None = None
    for wider in (8, 2, 1):  # from far to near
        blurred = cv2.GaussianBlur(coarse, (0, 0), wider * sigma * small[0])
        known = blurred[..., 3:]
        mean = np.asarray(blurred[..., :3] / np.maximum(known, 1e-6), np.float32)
        trust = np.asarray(np.clip(known / _ENOUGH, 0, 1), np.float32)
        found = mean if found is None else found + trust * (mean - found)
    assert found is not None
    return np.asarray(cv2.resize(found, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)
