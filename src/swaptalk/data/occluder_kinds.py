"""What is drawn in front of faces: hands, microphones, cups, cloth and shapeless things.

All coordinates are pixels of a square picture of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import CHEEKS, CHIN, FACE_OVAL, LIPS

Picture = NDArray[np.float32]
Mask = NDArray[np.float32]

#: Share of hands in the colour of the face itself.
_OWN_SKIN_SHARE = 0.6
#: Light falls from one side: brightness at the edges of a round thing relative to its middle.
_ROUND_LOW, _ROUND_HIGH = 0.45, 0.85


@dataclass
class Canvas:
    """An occluder while it is drawn: its colours (S, S, 3), and where it is (S, S) in 0..1."""

    colour: Picture
    alpha: Mask

    @property
    def side(self) -> int:
        """Pixels a side."""
        return len(self.alpha)

    def add(self, where: Mask, colour: Picture | NDArray[np.floating]) -> None:
        """Draw ``colour`` (S, S, 3) or (3,) over what is there, where ``where`` (S, S) says."""
        share = where[..., None]
        self.colour[...] = self.colour * (1 - share) + colour * share
        np.maximum(self.alpha, where, out=self.alpha)


def _texture(
    textures: tuple[NDArray[np.uint8], ...], side: int, rng: np.random.Generator
) -> Picture:
    """A part of another picture, turned, enlarged and recoloured, (S, S, 3)."""
    picture = textures[int(rng.integers(len(textures)))]
    part = max(4, int(len(picture) * rng.uniform(0.12, 0.5)))
    top, left = rng.integers(0, len(picture) - part + 1, 2)
    cut = np.rot90(picture[top : top + part, left : left + part], int(rng.integers(4)))
    texture = np.asarray(cv2.resize(np.ascontiguousarray(cut), (side, side)), np.float32)
    if rng.random() < 0.5:
        texture = texture[..., rng.permutation(3)]
    return np.asarray(texture * rng.uniform(0.4, 1.3, 3).astype(np.float32), np.float32)


def _grain(side: int, size: float, rng: np.random.Generator) -> Mask:
    """Smooth noise (S, S) around 0 with a standard deviation of about 1 and spots of ``size``
    pixels.
    """
    cells = max(2, int(np.ceil(side / max(size, 1.0))))
    small = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _surface(side: int, colour: NDArray[np.floating], rng: np.random.Generator) -> Picture:
    """A plain surface (S, S, 3) with a slope of the light and some grain."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
    slope = rng.uniform(-0.5, 0.5, 2)
    light = 1 + slope[0] * x + slope[1] * y
    light += rng.uniform(0, 0.05) * _grain(side, rng.uniform(1, 6), rng)
    return np.asarray(colour * light[..., None], np.float32)


def _colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """The colour of a thing: often black, white or grey."""
    if rng.random() < 0.5:
        return np.full(3, rng.choice([rng.uniform(8, 70), rng.uniform(60, 240)])) * rng.uniform(
            0.93, 1.07, 3
        )
    return rng.uniform(10, 240, 3)


def _skin(
    face: Picture,
    mesh: NDArray[np.float32],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Colour of a hand: the face's own, or the middle of another's."""
    if rng.random() < _OWN_SKIN_SHARE:
        mask = np.zeros(face.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(mesh[ring]).astype(np.int32) for ring in CHEEKS], (1,))
        inside = face[mask > 0]
        colour = np.median(inside, axis=0) if len(inside) else face.mean(axis=(0, 1))
    else:
        other = textures[int(rng.integers(len(textures)))]
        middle = slice(len(other) // 2, len(other) * 5 // 8)
        colour = np.median(other[middle, middle].reshape(-1, 3), axis=0)
    return np.asarray(colour * rng.uniform(0.6, 1.15) * rng.uniform(0.94, 1.06, 3), np.float64)


def _rounded(
    canvas: Canvas,
    points: NDArray[np.floating],
    widths: tuple[float, float],
    colour: Picture,
    light: NDArray[np.floating],
    low: float,
) -> None:
    """Draw a limb along points (N, 2), tapering between two radii, shaded as something round, with
    a dark line where it lies before others.
    """
    side = canvas.side
    y, x = np.mgrid[:side, :side].astype(np.float32)
    nearest = np.full((side, side), np.inf, np.float32)
    across = np.zeros((side, side), np.float32)
    steps = len(points) - 1
    for k, (a, b) in enumerate(zip(points, points[1:], strict=False)):
        along = b - a
        length = float(along @ along)
        t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(length, 1e-6), 0, 1)
        radius = widths[0] + (widths[1] - widths[0]) * (k + t) / steps
        dx, dy = x - (a[0] + t * along[0]), y - (a[1] + t * along[1])
        distance = np.hypot(dx, dy) / np.maximum(radius, 0.5)
        closer = distance < nearest
        nearest = np.where(closer, distance, nearest)
        across = np.where(closer, (dx * light[0] + dy * light[1]) / np.maximum(radius, 0.5), across)
    bulge = np.sqrt(np.clip(1 - nearest**2, 0, 1))
    shade = low + (1 - low) * np.clip(0.75 * bulge + 0.35 * (1 - across), 0, 1.1)
    soft = max(widths[1], 1.0)
    inside = np.clip((1 - nearest) * soft + 0.5, 0, 1).astype(np.float32)
    rim = np.clip((1.12 - nearest) * soft + 0.5, 0, 1) * canvas.alpha
    canvas.colour *= (1 - 0.35 * np.clip(rim - inside, 0, 1))[..., None]
    canvas.add(inside, colour * shade[..., None].astype(np.float32))


def _hand(
    canvas: Canvas,
    face: Picture,
    mesh: NDArray[np.float32],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> None:
    """A forearm or sleeve, a palm, and fingers that lie side by side, are spread or bent."""
    side = canvas.side
    size = float(np.linalg.norm(mesh[33] - mesh[263])) * rng.uniform(0.7, 1.3)
    aim = mesh[rng.choice(np.concatenate([LIPS, [CHIN, 50, 280, 4, 117, 346]]))]
    aim = aim + rng.normal(0, 0.12 * side, 2)
    # Arms come from below or from the sides.
    angle = np.deg2rad(rng.uniform(-20, 200))
    out = np.array([np.cos(angle), np.sin(angle)])
    palm = aim + out * size * rng.uniform(0.1, 0.7)
    light = np.array([np.cos(t := rng.uniform(0, 2 * np.pi)), np.sin(t)])
    low = rng.uniform(_ROUND_LOW, _ROUND_HIGH)
    tone = _skin(face, mesh, textures, rng)
    skin = _surface(side, tone, rng)
    if rng.random() < 0.85:
        sleeve = _texture(textures, side, rng) if rng.random() < 0.4 else skin
        _rounded(
            canvas,
            np.array([palm, palm + out * size * 2.5 + rng.normal(0, 0.2 * size, 2)]),
            (size * rng.uniform(0.25, 0.35), size * rng.uniform(0.3, 0.45)),
            sleeve,
            light,
            low,
        )
    across = np.array([-out[1], out[0]])
    breadth = size * rng.uniform(0.5, 0.75)
    _rounded(
        canvas,
        np.array([palm - across * breadth * 0.25, palm + across * breadth * 0.25]),
        (breadth * 0.5, breadth * 0.45),
        skin,
        light,
        low,
    )
    count, spread = int(rng.integers(1, 5)), rng.uniform(0, 0.35)
    start, bend = rng.uniform(-0.5, 0.5 - 0.22 * (count - 1) * 0.5), rng.uniform(-0.9, 0.9)
    heading = rng.normal(0, 0.25)
    for finger in range(count):
        root = palm + across * breadth * (start + 0.27 * finger) - out * breadth * 0.3
        _finger(canvas, root, -out, heading + spread * (finger - count / 2), bend, size, skin, rng)
    if rng.random() < 0.6:  # the thumb
        side_of = rng.choice([-1.0, 1.0])
        _finger(
            canvas,
            palm + across * breadth * 0.45 * side_of,
            -out,
            side_of * -rng.uniform(0.5, 1.3),
            rng.uniform(-0.4, 0.4),
            size * 0.9,
            skin,
            rng,
        )


def _finger(
    canvas: Canvas,
    root: NDArray[np.floating],
    direction: NDArray[np.floating],
    turn: float,
    bend: float,
    size: float,
    skin: Picture,
    rng: np.random.Generator,
) -> None:
    """Three bones from the root; ``turn`` and ``bend`` in radians."""
    angle = np.arctan2(direction[1], direction[0]) + turn
    points = [root]
    length = size * rng.uniform(0.22, 0.34)
    for joint in range(3):
        angle += bend * (joint > 0) * rng.uniform(0.6, 1.2)
        step = np.array([np.cos(angle), np.sin(angle)]) * length * (1 - 0.18 * joint)
        points.append(points[-1] + step)
    width = size * rng.uniform(0.085, 0.125)
    light = np.array([np.cos(t := rng.uniform(0, 2 * np.pi)), np.sin(t)])
    low = rng.uniform(_ROUND_LOW, _ROUND_HIGH)
    tone = skin * np.float32(rng.uniform(0.92, 1.08))
    _rounded(canvas, np.array(points), (width, width * 0.8), tone, light, low)
    if rng.random() < 0.4:  # a nail
        tip = np.zeros((canvas.side, canvas.side), np.float32)
        centre = points[-1] - np.array([np.cos(angle), np.sin(angle)]) * width * 0.1
        axes = (max(1, round(width * 0.6)), max(1, round(width * 0.45)))
        cv2.ellipse(
            tip, np.round(centre).astype(int).tolist(), axes, np.degrees(angle), 0, 360, (0.6,), -1
        )
        canvas.add(tip, tone * np.array([1.12, 1.0, 1.0], np.float32))


def _microphone(
    canvas: Canvas,
    face: Picture,
    mesh: NDArray[np.float32],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> None:
    """A head of foam or mesh on a handle, before chin or mouth, sometimes held."""
    side = canvas.side
    eyes = float(np.linalg.norm(mesh[33] - mesh[263]))
    head = mesh[rng.choice([17, CHIN, 200, 57, 287, 14])] + rng.normal(0, 0.07 * side, 2)
    radius = eyes * rng.uniform(0.12, 0.36)
    angle = np.deg2rad(rng.uniform(25, 155))
    out = np.array([np.cos(angle), np.sin(angle)])
    light = np.array([np.cos(t := rng.uniform(0, 2 * np.pi)), np.sin(t)])
    handle = _surface(side, _colour(rng), rng)
    _rounded(
        canvas,
        np.array([head, head + out * side]),
        (radius * rng.uniform(0.3, 0.8), radius * rng.uniform(0.3, 0.8)),
        handle,
        light,
        rng.uniform(0.2, 0.7),
    )
    foam = _surface(side, _colour(rng), rng)
    foam *= 1 + rng.uniform(0, 0.3) * _grain(side, rng.uniform(1, 3), rng)[..., None]
    tip = head + out * radius * rng.uniform(0, 1.2)
    _rounded(canvas, np.array([head, tip]), (radius, radius), foam, light, rng.uniform(0.2, 0.7))


def _block(
    canvas: Canvas,
    face: Picture,
    mesh: NDArray[np.float32],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> None:
    """A cup, telephone, book, card or caption: a rounded rectangle with a pattern or plain."""
    side = canvas.side
    eyes = float(np.linalg.norm(mesh[33] - mesh[263]))
    centre = mesh[rng.choice([CHIN, 14, 50, 280, 17, 199, 4])] + rng.normal(0, 0.15 * side, 2)
    wide, tall = eyes * rng.uniform(0.3, 1.4), eyes * rng.uniform(0.2, 1.2)
    angle = rng.normal(0, 25)
    box = cv2.boxPoints((centre.tolist(), (wide, tall), angle))
    where = np.zeros((side, side), np.float32)
    cv2.fillConvexPoly(where, np.round(box * 16).astype(np.int32), (1.0,), cv2.LINE_AA, 4)
    if rng.random() < 0.5:
        corner = max(1.0, 0.08 * side)
        blurred = np.asarray(cv2.GaussianBlur(where, (0, 0), corner * 0.5), np.float32)
        where = np.clip((blurred - 0.45) * corner, 0, 1).astype(np.float32)
    plain = rng.random() < 0.5
    colour = _surface(side, _colour(rng), rng) if plain else _texture(textures, side, rng)
    if rng.random() < 0.5:  # round, as a cup is
        x = np.mgrid[:side, :side][1].astype(np.float32)
        bent = np.clip(1 - ((x - centre[0]) / (0.55 * wide)) ** 2, 0, 1) ** 0.5
        colour = colour * (0.4 + 0.7 * bent)[..., None].astype(np.float32)
    canvas.add(where, colour)


def _cloth(
    canvas: Canvas,
    face: Picture,
    mesh: NDArray[np.float32],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> None:
    """A scarf, mask or handkerchief over the lower face or from one side, with folds."""
    side = canvas.side
    outline = mesh[FACE_OVAL]
    upper = mesh[rng.choice([1, 2, 0, 13, 17, 200])]
    tilt = rng.normal(0, 0.25)
    if rng.random() < 0.7:
        grown = (outline - outline.mean(axis=0)) * rng.uniform(0.95, 1.3) + outline.mean(axis=0)
        line = upper[1] + (grown[:, 0] - upper[0]) * tilt
        shape = grown.copy()
        shape[:, 1] = np.maximum(shape[:, 1], line)
    else:
        x = upper[0] + rng.choice([-1, 1]) * rng.uniform(0.05, 0.3) * side
        far = side * (1.2 if x > side / 2 else -0.2)
        shape = np.array([[x, -0.2 * side], [far, -0.2 * side], [far, 1.2 * side], [x, 1.2 * side]])
        shape[[0, 3], 0] += rng.normal(0, 0.1 * side, 2)
    where = np.zeros((side, side), np.float32)
    cv2.fillPoly(where, [np.round(shape * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    plain = rng.random() < 0.6
    colour = _surface(side, _colour(rng), rng) if plain else _texture(textures, side, rng)
    folds = _grain(side, rng.uniform(0.08, 0.3) * side, rng) * rng.uniform(0, 0.2)
    canvas.add(where, colour * (1 + folds)[..., None])


def _blob(
    canvas: Canvas,
    face: Picture,
    mesh: NDArray[np.float32],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> None:
    """Something of any shape with a part of another picture on it, or of noise."""
    side = canvas.side
    centre = mesh[rng.choice(FACE_OVAL if rng.random() < 0.4 else np.arange(len(mesh)))]
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.full(48, rng.uniform(0.06, 0.24) * side)
    for wave in range(2, 6):
        swing = rng.uniform(0, 0.45 / wave)
        radius *= 1 + swing * np.sin(wave * turn + rng.uniform(0, 2 * np.pi))
    stretch = rng.uniform(0.5, 1.6)
    shape = centre + np.stack(
        [np.cos(turn) * radius * stretch, np.sin(turn) * radius / stretch], axis=1
    )
    where = np.zeros((side, side), np.float32)
    cv2.fillPoly(where, [np.round(shape * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    if rng.random() < 0.75:
        colour = _texture(textures, side, rng)
    else:
        spots = [_grain(side, rng.uniform(2, 30), rng) for _ in range(3)]
        colour = _colour(rng) + np.stack(spots, axis=-1) * rng.uniform(5, 40)
    canvas.add(where, colour)


Draw = Callable[
    [
        Canvas,
        Picture,
        NDArray[np.float32],
        tuple[NDArray[np.uint8], ...],
        np.random.Generator,
    ],
    None,
]
#: What is drawn, and how often relative to the others.
KINDS: tuple[tuple[Draw, float], ...] = (
    (_hand, 0.5),
    (_microphone, 0.2),
    (_block, 0.1),
    (_cloth, 0.08),
    (_blob, 0.12),
)
