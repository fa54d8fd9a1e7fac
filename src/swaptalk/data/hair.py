"""Hair and earrings drawn in front of faces: what the hair network learns to find.

Locks are bundles of strands along a curve, in a colour of their own or cut from other pictures.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import FACE_OVAL

Mask = NDArray[np.float32]
Points = NDArray[np.float32]

#: Shares of pictures with locks down one side, down both, a fringe in locks or across the whole
#: forehead, single strands, an earring.
_KINDS = ("side", "sides", "fringe", "bangs", "strands", "earring")
_SHARES = (0.22, 0.12, 0.24, 0.2, 0.12, 0.1)
#: Share of locks that are cut from the hair above another face.
_CUT_SHARE = 0.45
#: Share of the others in the colour of the skin, which blond hair has; how its brightness and its
#: colour differ (standard deviations of natural logarithms).
_FAIR_SHARE, _FAIR_LIGHT, _FAIR_COLOUR = 0.4, 0.2, (0.03, 0.0, 0.15)
#: Colours of hair, RGB: black, dark and light brown, red, blond, grey, white.
_COLOURS = (
    (22, 18, 17),
    (50, 36, 28),
    (92, 66, 46),
    (118, 62, 36),
    (168, 132, 86),
    (128, 124, 120),
    (196, 190, 182),
)
#: Contrast of strands (standard deviation of natural logarithms), and blur of edges (standard
#: deviation, pixels).
_CONTRAST, _SOFTNESS = (0.04, 0.25), (0.3, 1.6)
#: Points along a strand's curve.
_STEPS = 24
#: Rows of a crop, shares of its side, in which most pictures show hair above the face.
_ABOVE = 0.17
#: Points of the outline beside the ears, right and left, and the highest.
_EAR_POINTS, _TOP_POINT = (132, 361), 10
#: Points on the cheeks.
_CHEEKS = (50, 101, 118, 205, 280, 330, 347, 425)
#: Share of drawn hair with a shadow on the face, and its largest darkening.
_SHADOW_SHARE, _SHADOW = 0.6, 0.4


def add_hair(
    face: NDArray[np.uint8],
    mesh: NDArray[np.floating],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], Mask]:
    """Draw hair or an earring in front of a face.

    Args:
        face: RGB (S, S, 3) uint8.
        mesh: landmarks (468, 2 or 3) in its pixels.
        textures: other aligned crops (S, S, 3) uint8, whose hair is cut out.
        rng: decides what and where.

    Returns:
        The picture, and the opacity (S, S) float32 in 0..1 of what was drawn.
    """
    side = len(face)
    points = np.asarray(mesh[:, :2], np.float32)
    kind = str(rng.choice(_KINDS, p=_SHARES))
    opacity = np.zeros((side, side), np.float32)
    colour = np.zeros((side, side, 3), np.float32)
    if kind == "earring":
        _earring(colour, opacity, points, rng)
    else:
        contrast = float(rng.uniform(*_CONTRAST))
        hair = _hair(side, (face, *textures), _skin(face, points), rng)
        for curve, width, density in _locks(kind, points, rng):
            _lock(colour, opacity, curve, width, density, hair, contrast, rng)
    soft = float(rng.uniform(*_SOFTNESS))
    opacity = np.asarray(cv2.GaussianBlur(opacity, (0, 0), soft), np.float32)
    behind = face.astype(np.float32)
    if rng.random() < _SHADOW_SHARE:
        behind *= (1 - _shadow(opacity, rng))[..., None]
    share = opacity[..., None]
    known = cv2.GaussianBlur((colour.sum(axis=2) > 0).astype(np.float32), (0, 0), 1.5)[..., None]
    filled = cv2.GaussianBlur(colour, (0, 0), 1.5) / np.maximum(known, 0.05)
    colour = np.where(colour.sum(axis=2, keepdims=True) > 0, colour, filled)
    colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), soft), np.float32)
    mixed = behind * (1 - share) + colour * share
    return np.clip(mixed, 0, 255).astype(np.uint8), np.minimum(opacity, np.float32(1))


def _skin(face: NDArray[np.uint8], points: Points) -> NDArray[np.float64]:
    """Colour (3,) of a face's cheeks."""
    columns, rows = np.clip(np.round(points[list(_CHEEKS)]), 0, len(face) - 1).astype(int).T
    return np.asarray(np.median(face[rows, columns], axis=0), np.float64)


def _hair(
    side: int,
    textures: tuple[NDArray[np.uint8], ...],
    skin: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Colours (S, S, 3) that locks are filled with."""
    if rng.random() < _CUT_SHARE:
        other = textures[int(rng.integers(len(textures)))]  # the face's own is among them
        rows = max(8, int(_ABOVE * len(other)))
        left = int(rng.integers(len(other) // 4, len(other) // 2))
        cut = other[:rows, left : left + 2 * rows]
        large = cv2.resize(cut, (side, side), interpolation=cv2.INTER_CUBIC)
        return np.asarray(large, np.float32) * np.float32(rng.uniform(0.7, 1.2))
    if rng.random() < _FAIR_SHARE:
        base = skin * np.exp(rng.normal(0, _FAIR_LIGHT) + rng.normal(0, _FAIR_COLOUR))
    else:
        base = np.array(_COLOURS[int(rng.integers(len(_COLOURS)))], np.float64)
        base = base * rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
    waves = cv2.resize(rng.normal(0, 1, (5, 3)).astype(np.float32), (side, side))
    return np.asarray(base * np.exp(rng.uniform(0.1, 0.45) * waves)[..., None], np.float32)


def _locks(kind: str, mesh: Points, rng: np.random.Generator) -> list[tuple[Points, float, float]]:
    """Curves (24, 2) of locks with their width in pixels and density, from 0 (a few strands) to
    1.
    """
    oval = mesh[FACE_OVAL]
    middle = oval.mean(axis=0)
    wide, tall = float(np.ptp(oval[:, 0])), float(np.ptp(oval[:, 1]))
    top = mesh[_TOP_POINT]
    found: list[tuple[Points, float, float]] = []
    if kind in ("side", "sides"):
        ways = (-1, 1) if kind == "sides" else (int(rng.choice((-1, 1))),)
        for way in ways:
            width = float(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))) * wide
            reach = rng.uniform(0.3, 0.62)  # of the face's width, from its middle
            start = top + (way * rng.uniform(0.05, 0.4) * wide, -rng.uniform(0.02, 0.2) * tall)
            bend = middle + (way * reach * wide, -rng.uniform(0.0, 0.5) * tall)
            end = middle + (way * rng.uniform(0.3, 0.75) * wide, rng.uniform(0.1, 0.9) * tall)
            out = width / 2 * np.array([way, 0.0]) * rng.uniform(0, 1)
            found.append((_curve(start + out, bend + out, end + out), width, rng.uniform(0.4, 1)))
    elif kind == "fringe":
        count, way = int(rng.integers(1, 7)), int(rng.choice((-1, 1)))
        depth = rng.uniform(0.12, 0.5) * tall
        for place in np.sort(rng.uniform(-0.45, 0.45, count)):
            start = top + (place * wide, -rng.uniform(0.0, 0.12) * tall)
            end = start + (way * rng.uniform(0, 0.35) * wide, depth * rng.uniform(0.6, 1.1))
            bend = (start + end) / 2 + rng.normal(0, 0.06, 2) * wide
            width = rng.uniform(0.05, 0.35) * wide
            found.append((_curve(start, bend, end), width, rng.uniform(0.3, 1)))
    elif kind == "bangs":
        depth, slant = rng.uniform(0.15, 0.42) * tall, rng.uniform(-0.15, 0.15)
        count = int(rng.integers(7, 14))
        for place in np.linspace(-0.5, 0.5, count):
            start = top + (0.8 * place * wide, -rng.uniform(0.05, 0.15) * tall)
            length = depth * rng.uniform(0.85, 1.1) * (1 + slant * np.sign(place))
            end = start + ((0.2 * place + slant) * wide, length)
            bend = (start + end) / 2 + (rng.normal(0, 0.02) * wide, 0)
            width = 1.6 * wide / count
            found.append((_curve(start, bend, end), width, rng.uniform(0.6, 1)))
    else:
        for _ in range(int(rng.integers(1, 6))):
            way = int(rng.choice((-1, 1)))
            start = top + (way * rng.uniform(0, 0.45) * wide, -0.05 * tall)
            end = middle + (way * rng.uniform(0.05, 0.6) * wide, rng.uniform(-0.3, 0.6) * tall)
            bend = middle + (way * rng.uniform(0.1, 0.6) * wide, -rng.uniform(0.1, 0.5) * tall)
            width = rng.uniform(0.004, 0.04) * wide
            found.append((_curve(start, bend, end), width, rng.uniform(0.2, 1)))
    return found


def _curve(start: Points, bend: Points, end: Points) -> Points:
    t = np.linspace(0, 1, _STEPS)[:, None]
    return np.asarray((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end, np.float32)


def _lock(
    colour: NDArray[np.float32],
    opacity: Mask,
    curve: Points,
    width: float,
    density: float,
    hair: NDArray[np.float32],
    contrast: float,
    rng: np.random.Generator,
) -> None:
    """Draw one lock: a body where it is dense, and strands that differ by the contrast."""
    along = np.gradient(curve, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    taper = np.interp(np.linspace(0, 1, _STEPS), (0, 0.5, 1), (1, 1, rng.uniform(0.1, 1.0)))
    half = (width / 2 * taper)[:, None] * across
    if density > 0.45 and width > 3:
        inner = 0.8 * half
        body = np.zeros(opacity.shape, np.float32)
        outline = np.concatenate([curve + inner, (curve - inner)[::-1]])
        cv2.fillPoly(body, [np.round(16 * outline).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
        body *= np.float32(rng.uniform(0.85, 1))
        colour[...] = colour * (1 - body[..., None]) + hair * body[..., None]
        np.maximum(opacity, body, out=opacity)
    count = int(np.clip(density * 2.2 * width, 2, 160))
    wobble = rng.normal(0, 0.08, (count, 3))
    t = np.linspace(0, 1, _STEPS)
    for place, (drift, swing, phase) in zip(np.linspace(-1, 1, count), wobble, strict=True):
        offset = place + drift * 3 * t + swing * np.sin(2 * np.pi * (t + 4 * phase))
        strand = curve + half * offset[:, None]
        last = int(rng.integers(_STEPS // 2, _STEPS + 1))
        points = np.round(16 * strand[:last]).astype(np.int32)
        column, row = np.clip(np.round(strand[last // 2]), 0, len(opacity) - 1).astype(int)
        tone = hair[row, column] * np.float32(np.exp(rng.normal(0, contrast)))
        thick = int(rng.integers(1, 3))
        cv2.polylines(colour, [points], False, tone.tolist(), thick, cv2.LINE_AA, 4)
        seen = float(rng.uniform(0.6, 1))
        line = np.zeros(opacity.shape, np.uint8)
        cv2.polylines(line, [points], False, (255,), thick, cv2.LINE_AA, 4)
        np.maximum(opacity, line * np.float32(seen / 255), out=opacity)


def _earring(
    colour: NDArray[np.float32], opacity: Mask, mesh: Points, rng: np.random.Generator
) -> None:
    """A stud, a hoop or a pendant below one ear."""
    way = int(rng.integers(2))
    wide = float(np.ptp(mesh[FACE_OVAL, 0]))
    place = mesh[_EAR_POINTS[way]] + (
        (2 * way - 1) * rng.uniform(-0.06, 0.05) * wide,
        rng.uniform(0.0, 0.2) * wide,
    )
    radius = max(1, round(rng.uniform(0.015, 0.09) * wide))
    hoop = rng.random() < 0.35
    canvas = np.zeros(opacity.shape, np.uint8)
    centre = np.round(16 * place).astype(int).tolist()
    thickness = max(1, round(0.25 * radius)) if hoop else -1
    cv2.circle(canvas, centre, 16 * radius, (255,), thickness, cv2.LINE_AA, 4)
    if not hoop and rng.random() < 0.4:  # a pendant
        tip = np.round(16 * (place + (0, rng.uniform(1, 4) * radius))).astype(int).tolist()
        cv2.line(canvas, centre, tip, (255,), max(1, radius), cv2.LINE_AA, 4)
    side = len(opacity)
    shine = cv2.resize(rng.normal(0, 1, (side // 5, side // 5)).astype(np.float32), (side, side))
    base = rng.uniform(30, 220) * np.array([1, rng.uniform(0.8, 1), rng.uniform(0.5, 1)])
    drawn = canvas.astype(np.float32) / np.float32(255)
    colour[...] = np.where(
        drawn[..., None] > 0, np.clip(base * np.exp(0.5 * shine)[..., None], 1, 255), colour
    )
    np.maximum(opacity, drawn, out=opacity)


def _shadow(opacity: Mask, rng: np.random.Generator) -> Mask:
    """How much darker the face is beside it, (S, S) in 0..1."""
    side = len(opacity)
    x, y = rng.uniform(-0.03, 0.03) * side, rng.uniform(0.0, 0.03) * side
    moved = cv2.warpAffine(opacity, np.array([[1, 0, x], [0, 1, y]], np.float32), (side, side))
    soft = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.005, 0.03) * side)
    return np.asarray(soft * rng.uniform(0.05, _SHADOW), np.float32)
