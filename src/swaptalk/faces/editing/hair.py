"""Hair, jewellery and hands in front of the face in a photo: found, and replaced by what the other
side of the face shows.

They would be carried over as if they were features of the face.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.hair_network import measure_hair
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mask import brows, disc, eyes_and_lips
from swaptalk.faces.editing.mesh_warp import (
    mesh_raster,
    mesh_warp,
    polygon_mask,
    spread,
    visibility,
)
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import (
    FACE_OVAL,
    LEFT_BROW,
    MIRROR,
    OUTER_LIPS,
    POINT_COUNT,
    RIGHT_BROW,
)

#: What the network is as sure of lies in front of the face...
_SURE = 0.25
#: ...if it reaches further inwards from the outline of the mesh than so many crop pixels: nearer
#: the mesh lies beside the face. What is so near to such a place belongs to it.
_OUTLINE, _REACH = 3, 24
#: Hair is cut out of a photo by its colours between these answers of the network: never below the
#: first, always above the last; and so many crop pixels beyond what it is sure of, in so many
#: rounds.
_UNLIKELY, _LIKELY, _CERTAIN = 0.01, 0.1, 0.6
_STRAND_REACH, _CUTS = 20, 2
#: Tips of a fringe: places on the forehead so much darker (natural logarithm) than most of it, no
#: further from the hair than so many crop pixels; the brightness is blurred.
_DARK_TIP, _TIP_REACH, _TIP_BLUR = 0.35, 8, 1.0
#: The forehead between the temples: over the hairline and back along the brows. Brows themselves
#: reach so many crop pixels beyond their points.
_FOREHEAD = (103, 67, 109, 10, 338, 297, 332, 334, 296, 336, 9, 107, 66, 105)
_BROW_REACH = 7
#: Fewer certain pixels than this say too little about the colours of hair or face.
_FEWEST = 50
#: From and to where the network's answer counts in frames.
_UNSURE = (np.float32(0.25), np.float32(0.75))
#: What is found grows by so many crop pixels, and its edge fades (standard deviation): strands
#: beside a lock and its shadow.
_GROWTH, _FADE = 9, 2.0
#: Faces of which more than this share is covered are let be: there the network errs, or nothing
#: could be put in its place.
_MOST_COVERED = 0.5
#: A point of the other side is used from this share of its frontal area on, wholly from the second.
_SEEN = (0.35, 0.65)
#: Blur (standard deviation, share of the crop) of how light differs between both sides.
_LIGHT_SIGMA = 0.08
#: Room around features that are left as they are where the other side does not show them either,
#: crop pixels: without them it would be another face.
_FEATURE_ROOM = 2
#: Room around brows that are the target's, and the blur of its edge, crop pixels.
_BROW_ROOM = 4
#: So is a brow of which more than the first share is hidden, unless more than the second is of the
#: other: then hair would be taken for brows. What is hidden of others becomes skin.
_HIDDEN_BROW, _ALSO_HIDDEN = 0.5, 0.33
#: A mouth is hidden where more than the first share of it is covered, and more than the second of
#: the so many crop pixels around it: red lips alone look like something, too. In a mask it counts
#: as hidden from the last share on.
_HIDDEN_MOUTH, _HIDDEN_AROUND, _AROUND_MOUTH, _WHOLE_MOUTH = 0.4, 0.12, 12, 0.95
#: Grey levels added before the logarithm of a ratio, the step of what is smooth, and the share of
#: known places in the surroundings that is enough to be trusted.
_DARK, _STEP, _ENOUGH = 4.0, 4, 0.15


def in_front(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """How far each pixel of a target's crop is of something in front of the face or beside it:
    where the network is unsure is the face.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (256, 256) in 0..1; 0 everywhere where too much of the face would be covered.
    """
    low, high = _UNSURE
    found = np.clip((measure_hair(picture) - low) / (high - low), 0, 1)
    face = _face(mesh)
    if not face.any() or found[face].mean() > _MOST_COVERED:
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    return np.asarray(found, np.float32)


def is_covered(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> bool:
    """Whether something lies in front of a face; arguments as of `hair_mask`."""
    face = _face(mesh)
    return _deep(np.asarray(measure_hair(picture) > _SURE, np.uint8), face) is not None


def mouth_is_hidden(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> bool:
    """Whether a hand or a microphone lies in front of the mouth; arguments as of `hair_mask`."""
    return _hides_mouth(np.asarray(measure_hair(picture) > _SURE, np.uint8), mesh)


def _hides_mouth(found: NDArray[np.uint8], mesh: NDArray[np.floating]) -> bool:
    lips = _drawn_mouth(mesh, 0)
    around = (_drawn_mouth(mesh, _AROUND_MOUTH) > lips) & _face(mesh)
    if not lips.any() or not around.any() or found[lips > 0].mean() <= _HIDDEN_MOUTH:
        return False
    return bool(found[around].mean() > _HIDDEN_AROUND)


def _drawn_mouth(mesh: NDArray[np.floating], room: int) -> NDArray[np.uint8]:
    """The mouth and so many crop pixels around it, (256, 256) of 0 or 1."""
    canvas = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    cv2.fillConvexPoly(canvas, _hull(mesh, OUTER_LIPS), (1,))
    return np.asarray(cv2.dilate(canvas, disc(room)), np.uint8)


def hair_mask(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where something lies in front of a face.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (256, 256) in 0..1; 0 everywhere where nothing or too much of the face is covered.
    """
    sure, face = measure_hair(picture), _face(mesh)
    found = np.asarray(sure > _SURE, np.uint8)
    deep = _deep(found, face)
    if deep is not None:
        hidden_mouth = _hides_mouth(found, mesh)
        found = _with_strands(picture, mesh, sure, face)
        if hidden_mouth:  # half a mouth is none
            found |= _drawn_mouth(mesh, _AROUND_MOUTH)
        deep = _deep(found, face)
    if deep is None:
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    near = np.asarray(cv2.dilate(deep, disc(_REACH)), np.uint8)
    grown = cv2.dilate(found & near, disc(_GROWTH)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), _FADE), np.float32)


def _face(mesh: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Inside of the face's outline, (256, 256)."""
    return np.asarray(polygon_mask(_outline(mesh), CROP_SIZE) > 127, np.bool_)


def _deep(found: NDArray[np.uint8], face: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
    """What of ``found`` (256, 256) reaches into the face; None where nothing does, or so much that
    the network errs.
    """
    depth = cv2.distanceTransform(face.astype(np.uint8), cv2.DIST_L2, 3)
    deep = np.asarray(found * (depth > _OUTLINE), np.uint8)
    share = float(found[face].mean()) if face.any() else 0.0
    return None if not deep.any() or share > _MOST_COVERED else deep


def _with_strands(
    picture: NDArray[np.uint8],
    mesh: NDArray[np.floating],
    sure: NDArray[np.float32],
    face: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """What is not the face, (256, 256) of 0 or 1, with strands and edges that the network misses:
    GrabCut (Rother et al. 2004) on colours, from what the network is ``sure`` of, and tips of a
    fringe.
    """
    marks = np.full(sure.shape, cv2.GC_PR_BGD, np.uint8)
    marks[sure > _LIKELY] = cv2.GC_PR_FGD
    marks[sure > _CERTAIN] = cv2.GC_FGD
    near = cv2.dilate((sure > _SURE).astype(np.uint8), disc(_STRAND_REACH)) > 0
    features = eyes_and_lips(mesh, CROP_SIZE, _FEATURE_ROOM)
    never = (sure < _UNLIKELY) | ~near | ((features > 0) & (sure < _CERTAIN))
    marks[face & never] = cv2.GC_BGD
    if min(np.count_nonzero(marks == certain) for certain in (cv2.GC_FGD, cv2.GC_BGD)) < _FEWEST:
        return np.asarray(sure > _SURE, np.uint8)
    cv2.setRNGSeed(0)  # the same photo, the same mask
    models = np.zeros((2, 1, 65))  # of colours, which nobody reads
    whole = (0, 0, CROP_SIZE, CROP_SIZE)
    cv2.grabCut(picture, marks, whole, models[0], models[1], _CUTS, cv2.GC_INIT_WITH_MASK)
    cut = np.asarray((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), np.uint8)
    hair = _joined(cut, sure > _SURE)
    tips = _dark_forehead(picture, mesh, face & (hair == 0))
    return hair | _joined(tips, cv2.dilate(hair, disc(_TIP_REACH)) > 0)


def _joined(places: NDArray[np.uint8], to: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The connected parts of places (256, 256) of 0 and 1 that meet others."""
    _, pieces = cv2.connectedComponents(places)
    return np.asarray(places * np.isin(pieces, pieces[to]), np.uint8)


def _dark_forehead(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], skin: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Where the skin above the brows is much darker than the rest of it, (256, 256) of 0 or 1: tips
    of a fringe, and their shadows.
    """
    above = polygon_mask(np.asarray(mesh[list(_FOREHEAD)], np.float32), CROP_SIZE) > 127
    above &= skin & (brows(mesh, CROP_SIZE, _BROW_REACH) == 0)
    if np.count_nonzero(above) < _FEWEST:
        return np.zeros(skin.shape, np.uint8)
    brightness = cv2.GaussianBlur(np.log(luma(picture)), (0, 0), _TIP_BLUR)
    return np.asarray(above & (brightness < np.median(brightness[above]) - _DARK_TIP), np.uint8)


def uncover(
    picture: NDArray[np.uint8],
    mesh: NDArray[np.floating],
    covered: NDArray[np.float32],
    expected: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Replace what lies in front of a face by the other side of it, in the light of this side.

    Where the other side is covered or turned away, too, the face becomes what is expected there.

    Args:
        picture: (S, S, 3) uint8 RGB crop, or the same crop finer.
        mesh: (468, 2 or 3) in pixels of the crop of 256.
        covered: `hair_mask` (256, 256).
        expected: (256, 256, 3) uint8 RGB, see `swaptalk.faces.editing.face_texture.expected_face`.

    Returns:
        (S, S, 3) uint8; outside the face as it was.
    """
    side = len(picture)
    mesh = (np.asarray(mesh, np.float32) + np.float32(0.5)) * (side / CROP_SIZE) - np.float32(0.5)
    hidden = _scaled(covered, side)
    everything = np.ones(POINT_COUNT, np.float32)
    raster = mesh_raster(mesh, side)
    other = mesh_warp(picture, mesh, mesh, everything, raster=raster)
    layer = np.asarray(cv2.merge([np.asarray(255 * hidden, np.uint8)] * 3), np.uint8)
    other_hidden = mesh_warp(layer, mesh, mesh, everything, raster=raster)[..., 0] / np.float32(255)
    area = visibility(mesh * np.float32(CROP_SIZE / side))[MIRROR]
    seen = spread(np.clip((area - _SEEN[0]) / (_SEEN[1] - _SEEN[0]), 0, 1), raster, side)
    usable = seen * np.clip(1 - 2 * other_hidden, 0, 1)
    face = polygon_mask(_outline(mesh), side) > 127
    free = np.asarray(face * np.clip(1 - 2 * hidden, 0, 1), np.float32)
    lit = other * _side_light(picture, other, free * usable)
    plain = cv2.resize(expected, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    filled = plain + usable[..., None] * (lit - plain)
    share = hidden * (1 - (1 - usable) * _features(mesh, hidden, usable))
    share = (share * _scaled(face.astype(np.float32), side))[..., None]
    mixed = picture + share * (filled - picture)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _outline(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    hull = cv2.convexHull(np.asarray(mesh[FACE_OVAL, :2], np.float32))
    return np.asarray(hull, np.float32).reshape(-1, 2)


def _scaled(mask: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _features(
    mesh: NDArray[np.float32], hidden: NDArray[np.float32], usable: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Eyes, lips of which something is seen, and a brow that is mostly hidden and that the other
    side, where it is usable, does not show either, with some room around: (S, S) in 0..1.
    """
    side = len(hidden)
    canvas = eyes_and_lips(mesh, side, 0)
    if _mean_share(mesh, OUTER_LIPS, hidden) > _WHOLE_MOUTH:
        cv2.fillConvexPoly(canvas, _hull(mesh, OUTER_LIPS), (0,))
    if not brows_are_hidden(mesh, hidden):
        for brow in (RIGHT_BROW, LEFT_BROW):
            seen = _mean_share(mesh, brow, usable) > _HIDDEN_BROW
            if _mean_share(mesh, brow, hidden) > _HIDDEN_BROW and not seen:
                cv2.fillConvexPoly(canvas, _hull(mesh, brow), (255,))
    room = round(_FEATURE_ROOM * side / CROP_SIZE)
    soft = cv2.GaussianBlur(cv2.dilate(canvas, disc(room)), (0, 0), room / 2)
    return np.asarray(soft, np.float32) / np.float32(255)


def brows_are_hidden(mesh: NDArray[np.floating], covered: NDArray[np.float32]) -> bool:
    """Whether a photo shows neither brow wholly: a fringe covers one and some of the other.

    Args:
        mesh: (468, 2 or 3) of the face, pixels of the mask.
        covered: `hair_mask` (S, S).
    """
    both = [_mean_share(mesh, brow, covered) for brow in (RIGHT_BROW, LEFT_BROW)]
    return max(both) > _HIDDEN_BROW and min(both) > _ALSO_HIDDEN


def brows_mask(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Both brows with soft edges, (256, 256) in 0..1."""
    mask = brows(mesh, CROP_SIZE, _BROW_ROOM)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), _BROW_ROOM), np.float32) / np.float32(255)


def _mean_share(
    mesh: NDArray[np.floating], part: NDArray[np.intp], share: NDArray[np.float32]
) -> float:
    """Mean of shares (S, S) over a part of the face."""
    canvas = np.zeros(share.shape, np.uint8)
    cv2.fillConvexPoly(canvas, _hull(mesh, part), (1,))
    return float(share[canvas > 0].mean()) if canvas.any() else 0.0


def _hull(mesh: NDArray[np.floating], points: NDArray[np.intp]) -> NDArray[np.int32]:
    hull = cv2.convexHull(np.round(mesh[points, :2]).astype(np.int32))
    return np.asarray(hull, np.int32)


def _side_light(
    picture: NDArray[np.uint8], other: NDArray[np.uint8], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Gain (S, S, 3) that gives the mirrored face the light of this side, where both show skin and
    smoothly beyond.
    """
    ratio = np.log((picture + np.float32(_DARK)) / (other + np.float32(_DARK)))
    return np.exp(_smooth(ratio, weight, _LIGHT_SIGMA))


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
