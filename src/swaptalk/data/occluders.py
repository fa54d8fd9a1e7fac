"""Things drawn in front of a face: what the occlusion network learns to find.

They are drawn with textures of other pictures and with a shadow on the face behind them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.data.occluder_kinds import KINDS, Canvas, Mask

#: Edges are softened by a Gaussian of at most this standard deviation, in parts of the side.
_EDGE = 0.008
#: Share of occluders with a shadow, its largest darkening and its largest offset (parts of the
#: side).
_SHADOW_SHARE, _SHADOW, _SHADOW_OFFSET = 0.5, 0.45, 0.05


def add_occluder(
    face: NDArray[np.uint8],
    mesh: NDArray[np.floating],
    textures: tuple[NDArray[np.uint8], ...],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], Mask]:
    """Draw something in front of a face.

    Args:
        face: RGB (S, S, 3) uint8.
        mesh: landmarks (468, 2 or 3) in its pixels.
        textures: other pictures (S, S, 3) uint8, from which patches are taken.
        rng: decides what, where and how.

    Returns:
        The picture, and the occluder's opacity (S, S) float32 in 0..1.
    """
    side = len(face)
    canvas = Canvas(np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32))
    kinds, shares = zip(*KINDS, strict=True)
    draw = kinds[int(rng.choice(len(kinds), p=np.array(shares) / sum(shares)))]
    draw(canvas, face.astype(np.float32), np.asarray(mesh[:, :2], np.float32), textures, rng)
    sigma = max(0.3, rng.uniform(0, _EDGE) * side)
    alpha = np.asarray(cv2.GaussianBlur(canvas.alpha, (0, 0), sigma), np.float32)
    colour = np.asarray(cv2.GaussianBlur(canvas.colour, (0, 0), 0.5 * sigma), np.float32)
    behind = np.array(face, np.float32)
    if rng.random() < _SHADOW_SHARE:
        behind *= (1 - _shadow(canvas.alpha, rng))[..., None]
    # Colours are known only where the occluder is: elsewhere the blurred canvas is black.
    known = np.asarray(cv2.GaussianBlur(canvas.alpha, (0, 0), 0.5 * sigma), np.float32)[..., None]
    colour = np.asarray(colour / np.maximum(known, 0.05), np.float32)
    mixed = behind * (1 - alpha[..., None]) + colour * alpha[..., None]
    return np.clip(mixed, 0, 255).astype(np.uint8), np.minimum(alpha, np.float32(1))


def _shadow(alpha: Mask, rng: np.random.Generator) -> Mask:
    """How much darker the face is beside the occluder, (S, S) in 0..1."""
    side = len(alpha)
    x, y = rng.uniform(-_SHADOW_OFFSET, _SHADOW_OFFSET, 2) * side
    moved = cv2.warpAffine(alpha, np.array([[1, 0, x], [0, 1, y]], np.float32), (side, side))
    blurred = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.01, 0.05) * side)
    return np.asarray(blurred * rng.uniform(0.1, _SHADOW), np.float32)
