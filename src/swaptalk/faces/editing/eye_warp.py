"""Turn the source's eyes to where the target looks, behind lids that open as the target's do.

The eyeball moves as a rigid disc behind the lids; between iris and corners it is stretched.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.eye_shape import (
    LID_POINTS,
    LOWER_LID,
    UPPER_LID,
    Eye,
    EyeAxes,
    eye_opening,
    eye_pair,
    opening_share,
)
from swaptalk.faces.geometry.topology import AROUND_EYES, EYE_RINGS

#: Limits of the ratio of two faces' eye sizes that lids take over.
_LEAST_RATIO, _LARGEST_RATIO = 0.7, 1.4
#: An iris stays so far from the corners, half widths of the eye.
_CORNER_ROOM = 0.05
#: Height of an eye's opening, in half widths, below which it hides too much of the eyeball to be
#: taken from, and from which on it shows enough.
NARROW, WIDE = 0.2, 0.4
#: Shares of the lids' shift that the two rings of skin around them follow.
SKIN_FOLLOWS = (0.75, 0.4)
#: Opening of the lids as a share of the mesh's own, which hardly follows them: from the first down
#: lids count as lowered, at the second wholly. (Open eyes: 1.1, nine in ten above 0.9.)
LOWERING, LOWERED = 0.8, 0.35
#: Lowered lids reach so many pixels beyond the lids' contours, with lashes; blur of their edge
#: (standard deviation), and width of the skin around them whose colour they get.
_LID_BORDER, _LID_SIGMA, _LID_SKIN = 5, 1.5, 6


def moved_lids(
    mesh: NDArray[np.floating], target_mesh: NDArray[np.floating], eyes: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Put lids onto a face of another shape, opened as the target's are.

    Args:
        mesh: (468, 3) of the face that gets them, in the target's pose.
        target_mesh: (468, 3) of the target.
        eyes: `measure_eyes` (2, 21, 2) of the target.

    Returns:
        The points (2, 21, 2) of both eyes on that face.
    """
    moved = []
    for eye, ring in enumerate(EYE_RINGS):
        before, after = (
            EyeAxes.of(points[ring[[0, 8]], :2], float(points[ring[8], 2] - points[ring[0], 2]))
            for points in (target_mesh, mesh)
        )
        heights = [
            float(np.ptp(axes.local(points[ring, :2])[:, 1]))
            for axes, points in ((before, target_mesh), (after, mesh))
        ]
        ratio = np.clip(heights[1] / max(heights[0], 1e-3), _LEAST_RATIO, _LARGEST_RATIO)
        local = before.local(eyes[eye])
        line = np.interp(local[:, 0], *_sorted(local[[0, 8]]))
        opened = line + (local[:, 1] - line) * ratio
        moved.append(after.place(local[:, 0], opened))
    return np.stack(moved)


def _sorted(knots: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    order = np.argsort(knots[:, 0])
    return knots[order, 0], knots[order, 1]


def with_lids(mesh: NDArray[np.floating], eyes: NDArray[np.floating]) -> NDArray[np.float32]:
    """The mesh (468, 3) with the lids of ``eyes`` (2, 21, 2); the skin around them follows in
    part, so that no strip of lashes is stretched.
    """
    moved = np.array(mesh, np.float32)
    for eye, ring in enumerate(EYE_RINGS):
        shift = eyes[eye, :LID_POINTS] - mesh[ring, :2]
        moved[ring, :2] += shift
        for share, around in zip(SKIN_FOLLOWS, AROUND_EYES, strict=True):
            moved[around[eye], :2] += np.float32(share) * shift
    return moved


def eye_trust(eyes: tuple[Eye, Eye]) -> float:
    """How well a photo shows the eyeballs, 0..1: not if an eye is narrow or closed.

    Args:
        eyes: `visible_pair` of the photo.
    """
    least = min(eye.opening for eye in eyes)
    return float(np.clip((least - NARROW) / (WIDE - NARROW), 0, 1))


def lowered_share(mesh: NDArray[np.floating], eyes: NDArray[np.floating]) -> NDArray[np.float32]:
    """How far each eye's lids are lowered (2,), 0..1.

    Args:
        mesh: (468, 3) with the mesh's own lids.
        eyes: `measure_eyes` or `moved_lids` (2, 21, 2).
    """
    open_lids = np.stack([mesh[ring, :2] for ring in EYE_RINGS])
    openings = [
        np.linalg.norm(lids[:, LOWER_LID[2:7]] - lids[:, UPPER_LID[2:7]], axis=2).max(axis=1)
        for lids in (eyes, open_lids)
    ]
    share = openings[0] / np.maximum(openings[1], 1e-3)
    return np.asarray(np.clip((LOWERING - share) / (LOWERING - LOWERED), 0, 1), np.float32)


def draw_lids(
    face: NDArray[np.uint8],
    target: NDArray[np.uint8],
    mesh: NDArray[np.floating],
    eyes: NDArray[np.floating],
) -> None:
    """Draw the target's lowered lids into a face, in the colour of the face's skin around them.

    A photo with open eyes has no skin for lowered lids, only lashes and shadows to stretch.

    Args:
        face: (S, S, 3) uint8 RGB, changed in place.
        target: (S, S, 3) uint8 RGB, its lids where ``eyes`` says.
        mesh: (468, 3) in their pixels, with the mesh's own lids.
        eyes: lids and irises (2, 21, 2).
    """
    for eye, lowered in enumerate(lowered_share(mesh, eyes)):
        if not lowered:
            continue
        lids = eyes[eye, :LID_POINTS]
        hull = cv2.convexHull(
            np.concatenate([mesh[EYE_RINGS[eye], :2], lids]).astype(np.float32)
        ).reshape(-1, 2)
        border = _LID_BORDER + 2 * _LID_SKIN
        low = np.clip(np.floor(hull.min(axis=0)).astype(int) - border, 0, face.shape[1])
        high = np.clip(np.ceil(hull.max(axis=0)).astype(int) + border + 1, 0, face.shape[1])
        if (high <= low).any():
            continue
        box = slice(low[1], high[1]), slice(low[0], high[0])
        region = np.zeros((high - low)[::-1], np.uint8)
        cv2.fillPoly(region, [np.round((hull - low) * 16).astype(np.int32)], (255,), shift=4)
        region = _grown(region, _LID_BORDER)
        around = (_grown(region, _LID_SKIN) > 0) & (region == 0)
        if not around.any():
            continue
        part, seen = face[box], np.asarray(target[box], np.float32)
        gain = (part[around].mean(axis=0) + 1) / (seen[around].mean(axis=0) + 1)
        cv2.fillPoly(region, [np.round((lids - low) * 16).astype(np.int32)], (0,), shift=4)
        share = cv2.GaussianBlur(region, (0, 0), _LID_SIGMA).astype(np.float32)[..., None]
        share *= lowered / 255
        mixed = part + share * (seen * gain - part)
        part[...] = np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _grown(region: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(region, kernel), np.uint8)


def draw_eyes(
    face: NDArray[np.uint8],
    mesh: NDArray[np.floating],
    eyes: NDArray[np.floating],
    photo: NDArray[np.uint8],
    photo_eyes: tuple[Eye, Eye],
    gain: NDArray[np.floating] | None = None,
) -> None:
    """Draw a photo's eyeballs into a face, looking where its eyes look, between its lids.

    Args:
        face: (S, S, 3) uint8 RGB, changed in place.
        mesh: (468, 3) in its pixels.
        eyes: lids and irises (2, 21, 2) that it gets, see `moved_lids`.
        photo: (P, P, 3) uint8 RGB.
        photo_eyes: its `visible_pair`.
        gain: (3,) factor of the colours.
    """
    for eye, (made, real) in enumerate(zip(eye_pair(mesh, eyes), photo_eyes, strict=True)):
        box, opening = eye_opening(len(face), eyes[eye])
        if not opening.size:
            continue
        rows, columns = box
        x, y = np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop))
        local = made.axes.local(np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32))
        where = real.axes.place(*_eyeball_map(local[:, 0], local[:, 1], made, real))
        field = where.reshape(*x.shape, 2)
        column, row = cv2.split(field)
        patch = np.asarray(
            cv2.remap(photo, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
            np.float32,
        )
        if gain is not None:
            patch = patch * np.asarray(gain, np.float32)
        share = opening_share(opening)
        part = face[box]
        part[...] = np.clip(np.round(part + share * (patch - part)), 0, 255).astype(np.uint8)


def _eyeball_map(
    u: NDArray[np.float32], v: NDArray[np.float32], made: Eye, real: Eye
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where points u, v of the eye that is made come from in the real eye."""
    radius = min(real.radius, 0.6)
    room = 1 - _CORNER_ROOM - radius
    middle, origin = (float(np.clip(one.iris[0], -room, room)) for one in (made, real))
    from_u = np.interp(
        u, [-1, middle - radius, middle + radius, 1], [-1, origin - radius, origin + radius, 1]
    ).astype(np.float32)
    top, bottom = made.lid(UPPER_LID, u), made.lid(LOWER_LID, u)
    real_top, real_bottom = real.lid(UPPER_LID, from_u), real.lid(LOWER_LID, from_u)
    bottom, real_bottom = np.maximum(bottom, top + 1e-3), np.maximum(real_bottom, real_top + 1e-3)
    centre = np.clip(made.iris[1], top, bottom)
    from_centre = np.clip(real.iris[1], real_top, real_bottom)
    above, below = centre - top, bottom - centre
    from_above = np.minimum(above, from_centre - real_top)
    from_below = np.minimum(below, real_bottom - from_centre)
    up = np.where(v < centre, (centre - v) / np.maximum(above, 1e-3), 0)
    down = np.where(v >= centre, (v - centre) / np.maximum(below, 1e-3), 0)
    # Just outside the lids nothing is taken from beyond them.
    from_v = from_centre - np.minimum(up, 1) * from_above + np.minimum(down, 1) * from_below
    return from_u, np.asarray(from_v, np.float32)
