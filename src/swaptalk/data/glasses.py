"""Glasses drawn on faces: what the eyewear network learns to find.

A pair is drawn in a plane of its own, one unit the distance of the eyes' middles, and laid onto the
face by an affine map of eyes and nose: so it turns with the head.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import EYE_RINGS

Points = NDArray[np.float32]

#: The base of the nose, and how far below the eyes it lies in the plane of the glasses.
_NOSE_BASE, _NOSE_BELOW = 2, 0.68
#: Drawn larger by this factor, so that thin rims have soft edges.
_FINER = 2
#: Points of a lens's outline.
_OUTLINE = 64
#: Shares of frames that hold the lens above only, and of those without a frame.
_HALF_SHARE, _RIMLESS_SHARE = 0.18, 0.07
#: Shares of metal rims, of coloured and of see-through ones; the others are dark.
_METAL_SHARE, _COLOURED_SHARE, _CLEAR_SHARE = 0.35, 0.08, 0.05
#: Shares of pairs with dark lenses, with a tint, with a reflection, with a shadow on the face.
_DARK_SHARE, _TINT_SHARE, _REFLECTION_SHARE, _SHADOW_SHARE = 0.06, 0.25, 0.3, 0.5


class _Layer(NamedTuple):
    """Something that is drawn: its opacity (S, S) in 0..1, and its colours (S, S, 3) or (3,)."""

    opacity: NDArray[np.float32]
    colour: NDArray[np.float32]


def add_glasses(
    face: NDArray[np.uint8], mesh: NDArray[np.floating], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw a pair of glasses on a face.

    Args:
        face: RGB (S, S, 3) uint8.
        mesh: landmarks (468, 2 or 3) in its pixels.
        rng: decides which.

    Returns:
        The picture, and the opacity (S, S) float32 in 0..1 of frame and bridge; lenses do not
        count.
    """
    side = len(face)
    place = _plane(mesh)
    lenses = _lenses(rng)
    shown = [_placed(lens, place) for lens in lenses]
    thickness = float(np.exp(rng.uniform(np.log(0.9), np.log(9.0)))) * side / 256
    frame = _frame(lenses, place, side, thickness, rng)
    picture = face.astype(np.float32)
    if rng.random() < _SHADOW_SHARE:
        picture = _over(picture, _shadow(frame, rng))
    for layer in _glass(shown, side, rng):
        picture = _over(picture, layer)
    colour = _rim_colour(side, rng)
    opacity = frame * np.float32(rng.uniform(0.35, 0.7) if rng.random() < _CLEAR_SHARE else 1.0)
    picture = _over(picture, _Layer(opacity, colour))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8), opacity


def _plane(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map (2, 3) from the plane of the glasses into the picture."""
    right, left = (mesh[ring, :2].mean(axis=0) for ring in EYE_RINGS)
    middle, nose = (right + left) / 2, mesh[_NOSE_BASE, :2]
    down = (nose - middle) / _NOSE_BELOW
    return np.stack([left - right, down, middle], axis=1).astype(np.float64)


def _placed(points: Points, place: NDArray[np.float64]) -> Points:
    return (points @ place[:, :2].T + place[:, 2]).astype(np.float32)


def _lenses(rng: np.random.Generator) -> tuple[Points, Points]:
    """Outlines (64, 2) of the right and the left lens."""
    width, exponent = rng.uniform(0.28, 0.46), rng.uniform(2.0, 5.0)
    height = width * rng.uniform(0.5, 1.0)
    angle = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
    x, y = (np.sign(f(angle)) * np.abs(f(angle)) ** (2 / exponent) for f in (np.cos, np.sin))
    x = x * (1 + rng.uniform(-0.18, 0.05) * y)  # narrower below, as those of pilots are
    y = y + rng.uniform(-0.25, 0.05) * x**2 * (x < 0) * (y < 0)  # raised outside above
    lens = np.stack([width * x, height * y], axis=1)
    apart, low = rng.uniform(0.46, 0.56), rng.uniform(0.0, 0.14)
    mirror = np.array([-1.0, 1.0])
    return (
        (lens + (-apart, low)).astype(np.float32),
        (lens * mirror + (apart, low)).astype(np.float32),
    )


def _frame(
    lenses: tuple[Points, Points],
    place: NDArray[np.float64],
    side: int,
    thickness: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Opacity (S, S) of rims, bridge and the beginnings of the temples."""
    canvas = np.zeros((_FINER * side, _FINER * side), np.uint8)
    kind = rng.random()
    width = max(1, round(_FINER * thickness))
    for lens in lenses:
        if kind < _RIMLESS_SHARE:
            continue
        part = lens
        if kind < _RIMLESS_SHARE + _HALF_SHARE:
            above = lens[lens[:, 1] < lens[:, 1].mean() + 0.05]
            part = above[np.argsort(above[:, 0])]
        _line(canvas, _placed(part, place), width, closed=part is lens)
    inner = [lens[np.abs(lens[:, 0]).argmin()] for lens in lenses]
    drop = float(rng.uniform(-0.10, 0.05))
    ends = [one + np.array([0.0, drop], np.float32) for one in inner]
    arch = np.array([0.0, ends[0][1] - rng.uniform(0.0, 0.07)], np.float32)
    bridge = np.stack([ends[0], (ends[0] + 2 * arch) / 3, (ends[1] + 2 * arch) / 3, ends[1]])
    _line(canvas, _placed(bridge, place), width)
    for lens, way in zip(lenses, (-1, 1), strict=True):
        outer = lens[(way * lens[:, 0]).argmax()].copy()
        outer[1] -= rng.uniform(0.0, 0.12)
        temple = np.stack([outer, outer + np.array([way * rng.uniform(0.08, 0.3), 0.02])])
        _line(canvas, _placed(temple.astype(np.float32), place), width)
    soft = cv2.GaussianBlur(canvas, (0, 0), _FINER * float(rng.uniform(0.3, 0.9)))
    small = cv2.resize(soft, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _line(canvas: NDArray[np.uint8], points: Points, width: int, closed: bool = False) -> None:
    finer = np.round(16 * (_FINER * (points + 0.5) - 0.5)).astype(np.int32)
    cv2.polylines(canvas, [finer], closed, (255,), width, cv2.LINE_AA, shift=4)


def _rim_colour(side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Colour of a frame: (3,), or (S, S, 3) of metal, which is bright where it mirrors a light."""
    kind = rng.random()
    if kind < _METAL_SHARE:
        base = rng.uniform(60, 170) * np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.5, 1.0)])
        waves = cv2.resize(rng.normal(0, 1, (6, 6)).astype(np.float32), (side, side))
        shine = np.exp(rng.uniform(0.2, 0.8) * waves)[..., None]
        return np.asarray(np.clip(base * shine, 0, 255), np.float32)
    if kind < _METAL_SHARE + _COLOURED_SHARE:
        return rng.uniform(20, 200, 3).astype(np.float32)
    return np.asarray(rng.uniform(5, 60) * rng.uniform(0.7, 1.3, 3), np.float32)


def _glass(lenses: list[Points], side: int, rng: np.random.Generator) -> list[_Layer]:
    """What lenses add: darkness or a tint, and a reflection."""
    canvas = np.zeros((side, side), np.uint8)
    for lens in lenses:
        cv2.fillPoly(canvas, [np.round(16 * lens).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    inside = np.asarray(canvas, np.float32) / np.float32(255)
    layers = []
    kind = rng.random()
    if kind < _DARK_SHARE + _TINT_SHARE:
        share = rng.uniform(0.6, 0.97) if kind < _DARK_SHARE else rng.uniform(0.03, 0.3)
        colour = rng.uniform(0, 60 if kind < _DARK_SHARE else 200, 3).astype(np.float32)
        layers.append(_Layer(inside * np.float32(share), colour))
    if rng.random() < _REFLECTION_SHARE:
        cloud = cv2.resize(rng.normal(0, 1, (9, 9)).astype(np.float32), (side, side))
        share = np.clip(cloud - 0.6, 0, 1) * np.float32(rng.uniform(0.2, 0.9))
        layers.append(_Layer(inside * share, rng.uniform(150, 255, 3).astype(np.float32)))
    return layers


def _shadow(frame: NDArray[np.float32], rng: np.random.Generator) -> _Layer:
    """The frame's shadow on the skin below it."""
    side = len(frame)
    x, y = rng.uniform(-0.012, 0.012) * side, rng.uniform(0.004, 0.03) * side
    moved = cv2.warpAffine(frame, np.array([[1, 0, x], [0, 1, y]], np.float32), (side, side))
    soft = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.004, 0.015) * side)
    return _Layer(
        np.asarray(soft, np.float32) * np.float32(rng.uniform(0.1, 0.5)), np.zeros(3, np.float32)
    )


def _over(picture: NDArray[np.float32], layer: _Layer) -> NDArray[np.float32]:
    share = layer.opacity[..., None]
    return np.asarray(picture * (1 - share) + layer.colour * share, np.float32)
