"""Beards: told by the colours and the texture of the lower face, and left to the target.

A full beard ends below the aligned crop, so that half of one would be put on a face, and half of
one would stay on another. A photo's is therefore shaved off for faces that have none; where the
target has one and the photo none, mouth and chin stay the target's, as hair does (`Beards`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mask import disc
from swaptalk.faces.editing.mesh_warp import mesh_warp, polygon_mask
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import CHEEKS, INNER_LIPS, OUTER_LIPS, canonical_crop_mesh

#: Rows and columns of the lower face in the crop of the canonical mesh, and the rows and columns of
#: cells in which it is looked at; both sides of the face are averaged.
_LOWER = (slice(136, 248), slice(40, 216))
_CELLS = (12, 16)
#: Those along the jaw; a beard that is as sure as the first covers them where they are darker than
#: the second.
_JAW = (slice(6, 10), slice(1, 3))
_SURE, _DARK_JAW = 1.0, -0.55
#: Grey levels added before logarithms: noise in the dark is no colour.
_DARK = 7.0
#: Blur of brightness and of texture, and the two that texture lies between, crop pixels (standard
#: deviation); contrast added before the logarithm of texture, so that smooth skin divides safely.
_BROAD, _TEXTURE, _FINE, _COARSE, _SMOOTH = 2.0, 3.0, 0.8, 3.0, 0.005
#: Outline of beards, from the subject's right ear along the cheek, below the nose, to the left ear
#: and back along the jaw; the first points span the moustache.
_MOUSTACHE = (205, 206, 98, 2, 327, 426, 425)
_OUTLINE = (
    *(132, 147, 187, *_MOUSTACHE, 411, 376, 361),
    *(435, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 215),
)
#: Blur of its edge and of the lips', crop pixels (standard deviation).
_EDGE, _LIP_EDGE = 5.0, 1.5
#: Lips that are darker than is expected by so much (natural logarithm) are hairs, in part from the
#: first on, wholly from the second; over so many crop pixels (standard deviation), since hairs lie
#: side by side with skin.
_HAIR_ON_LIPS, _HAIRS_SIGMA = (0.1, 0.35), 2.0
#: Width of the edge of hairs around a beard, crop pixels.
_HAIRY_EDGE = 6


def beard_features(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Brightness, texture and two colours of the lower face relative to the cheeks, natural
    logarithms in a grid of cells.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (384,): four maps of half a face, 12 x 8 cells each.
    """
    canonical = canonical_crop_mesh()
    frontal = mesh_warp(picture, mesh, canonical)
    cheeks = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    for ring in CHEEKS:
        cv2.fillConvexPoly(cheeks, np.round(canonical[ring]).astype(np.int32), (1,))
    brightness = np.log(luma(frontal) + np.float32(_DARK - 1))
    texture = np.abs(_blurred(brightness, _FINE) - _blurred(brightness, _COARSE))
    red, green, blue = cv2.split(np.log(frontal + np.float32(_DARK)))
    broad = _blurred(brightness, _BROAD)

    def skin(values: NDArray[np.floating]) -> float:
        return float(np.median(values[cheeks > 0]))

    # Maps, and what they are on the cheeks.
    measured = (
        (broad, skin(broad)),
        (np.log(_blurred(texture, _TEXTURE) + _SMOOTH), np.log(skin(texture) + _SMOOTH)),
        (red - green, skin(red - green)),
        (green - blue, skin(green - blue)),
    )
    cells = [
        cv2.resize((one - level)[_LOWER], _CELLS[::-1], interpolation=cv2.INTER_AREA)
        for one, level in measured
    ]
    halves = [(cell + cell[:, ::-1])[:, : _CELLS[1] // 2] / 2 for cell in cells]
    return np.asarray(np.concatenate([half.ravel() for half in halves]), np.float32)


class Beard(NamedTuple):
    """What of a beard or a moustache somebody has."""

    strength: float
    """Logarithm of the odds that it is more than stubble."""
    jaw: float
    """Brightness along the jaw relative to the cheeks, natural logarithm."""

    @property
    def grows(self) -> bool:
        """Whether there is one."""
        return self.strength > 0

    @property
    def covers_jaw(self) -> bool:
        """Whether it reaches the outline of the face, where it would be cut off."""
        return self.strength > _SURE and self.jaw < _DARK_JAW


#: Nothing but skin.
NO_BEARD = Beard(-float("inf"), 0.0)


def measure_beard(
    pictures: Sequence[NDArray[np.uint8]], meshes: Sequence[NDArray[np.floating]]
) -> Beard:
    """Measure the beard of one person in several pictures together.

    Args:
        pictures: crops (256, 256, 3) uint8 RGB, at least one.
        meshes: (468, 2 or 3) in their pixels.
    """
    measured = [beard_features(*one) for one in zip(pictures, meshes, strict=True)]
    features, weights = np.mean(measured, axis=0), _weights()
    brightness = features.reshape(4, _CELLS[0], -1)[0]
    return Beard(float(features @ weights[:-1] + weights[-1]), float(brightness[_JAW].mean()))


class Beards(Enum):
    """What becomes of two people's beards."""

    ALIKE = "alike"
    """Nothing: both have one, or none, or the source's is put on the target."""
    KEPT = "kept"
    """Mouth and chin stay the target's: it has a beard or a moustache, and the source has none."""
    SHAVEN = "shaven"
    """The source's is shaved off: it would be cut off, and the target has none."""


def compare_beards(source: Beard, target: Beard) -> Beards:
    """What becomes of beards. A moustache or a goatee is put on any face."""
    if target.grows:
        return Beards.ALIKE if source.grows else Beards.KEPT
    return Beards.SHAVEN if source.covers_jaw else Beards.ALIKE


def beard_zone(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where beards grow, with the mouth between: (256, 256) in 0..1, from a mesh (468, 2 or 3) in
    crop pixels.
    """
    moustache = cv2.convexHull(np.asarray(mesh[list(_MOUSTACHE), :2], np.float32))
    zone = polygon_mask(np.asarray(mesh[list(_OUTLINE)], np.float32), CROP_SIZE)
    zone |= polygon_mask(np.asarray(moustache, np.float32).reshape(-1, 2), CROP_SIZE)
    return np.asarray(cv2.GaussianBlur(zone, (0, 0), _EDGE), np.float32) / np.float32(255)


def shaving(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], expected: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """What a bearded face becomes, (256, 256, 3), and how much of it does, (256, 256) in 0..1.
    Lips stay, but for hairs on them, which are much darker than is expected.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.
        expected: (256, 256, 3) uint8 RGB, the same face without a beard.
    """
    lips, mouth = (
        _blurred(polygon_mask(np.asarray(mesh[ring], np.float32), CROP_SIZE) / 255, _LIP_EDGE)
        for ring in (OUTER_LIPS, INNER_LIPS)
    )
    darker = _blurred(np.log(luma(expected)) - np.log(luma(picture)), _HAIRS_SIGMA)
    least, most = _HAIR_ON_LIPS
    bare = 1 - np.clip((darker - least) / (most - least), 0, 1)
    zone = cv2.dilate(beard_zone(mesh), disc(_HAIRY_EDGE))
    # Below a moustache the mesh is not sure of the lips: edges would come to lie beside them.
    near = np.asarray(cv2.GaussianBlur(cv2.dilate(lips, disc(_HAIRY_EDGE)), (0, 0), 2), np.float32)
    soft = cv2.GaussianBlur(expected, (0, 0), _HAIRS_SIGMA)
    made = np.asarray(cv2.blendLinear(soft, expected, near, 1 - near), np.uint8)
    return made, np.asarray(zone * (1 - np.maximum(lips * bare, mouth)), np.float32)


@lru_cache(maxsize=1)
def _weights() -> NDArray[np.float32]:
    """Weights of the features and, last, what is added; fitted by ``benchmarks/fit_beard.py``."""
    with resources.files(__package__).joinpath("beard.npy").open("rb") as file:
        return np.asarray(np.load(file), np.float32)


def _blurred(values: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
