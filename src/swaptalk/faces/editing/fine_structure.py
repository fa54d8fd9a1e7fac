"""Fine structure that the decoder loses, taken back from the composite that a swap was made of.

The network decides shades, colours and what lies where; lashes, brows and pores below `SIGMA` are
the composite's own, as far as both agree in the next coarser band: what the network removed, a
crease or the rim of glasses, stays removed.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.mesh_warp import polygon_mask, visibility
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import EYE_RINGS, POINT_COUNT, crop_triangles

#: Structure finer than this is the composite's, crop pixels (standard deviation).
SIGMA = 3.0
#: Lower end of the band in which composite and face are compared, and reach of the comparison, crop
#: pixels.
BAND_SIGMA, AGREEMENT_SIGMA = 9.0, 6.0
#: Local similarity of the two (1 for the same, -1 for the negative) from which fine structure is
#: given, and from which all of it is.
AGREEMENT = (0.2, 0.7)
#: Mean square of a band, grey levels, up to which it is flat: flat places agree.
FLAT_BAND = 2.0
#: The composite's fine structure is at most so many times as strong as the target's.
SHARPEST = 1.25
#: Fine structure weaker than this, in grey levels, says nothing about a picture's sharpness.
LEAST_STRENGTH = 0.5
#: Triangles of the mesh that keep less of their frontal area are seen edge-on: the composite's
#: texture is creased there.
EDGE_ON = 0.25
#: Softness of the edge around them, crop pixels (standard deviation).
EDGE_SIGMA = 3.0
#: Softness of the edge around the eyes, crop pixels (standard deviation).
_EYE_SIGMA = 3.0
#: Bands and agreement are smooth: they are computed on every second pixel.
_COARSE = CROP_SIZE // 2


def restore_fine_structure(
    face: NDArray[np.uint8],
    composite: FaceComposite,
    target: NDArray[np.uint8],
    share: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """Give a swapped face the fine structure of its composite.

    Args:
        face: (256, 256, 3) uint8 RGB, as the networks made it of the composite.
        composite: picture, mask and mesh.
        target: the target's aligned crop (256, 256, 3): the face does not become sharper than it.
        share: (256, 256) in 0..1 of the fine structure that is given, for each pixel; None gives
            all of it.

    Returns:
        (256, 256, 3) uint8 RGB.
    """
    luma, real, around = (
        np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), np.uint8)
        for one in (face, composite.picture, target)
    )
    weight = composite.mask if share is None else composite.mask * share
    gain = _gain(real, around, weight)
    agreed = np.maximum(_agreement(luma, real) * _facing(composite.mesh), _eyes(composite.mesh))
    weight = weight * cv2.resize(agreed, (CROP_SIZE, CROP_SIZE))
    difference = cv2.addWeighted(composite.picture, gain, face, -1.0, 0.0, dtype=cv2.CV_32F)
    more = np.asarray(difference - cv2.GaussianBlur(difference, (0, 0), SIGMA), np.float32)
    more *= weight[..., None]
    return np.asarray(cv2.add(face, more, dtype=cv2.CV_8U), np.uint8)


def _gain(real: NDArray[np.uint8], target: NDArray[np.uint8], weight: NDArray[np.float32]) -> float:
    """What the fine structure of ``real`` is multiplied by, at most 1, where ``target`` is softer;
    all (256, 256).
    """
    own, others = (
        max(float((cv2.absdiff(one, cv2.GaussianBlur(one, (0, 0), SIGMA)) * weight).sum()), 1e-6)
        for one in (real, target)
    )
    if own < LEAST_STRENGTH * float(weight.sum()):
        return 1.0
    return min(1.0, SHARPEST * others / own)


def _agreement(face: NDArray[np.uint8], real: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far two lumas (256, 256) agree in the band below the fine structure, (128, 128) in
    0..1.
    """
    bands = []
    for picture in (face, real):
        small = cv2.resize(picture, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
        fine = cv2.GaussianBlur(small.astype(np.float32), (0, 0), SIGMA / 2)
        bands.append(fine - cv2.GaussianBlur(fine, (0, 0), BAND_SIGMA / 2))
    a, b = bands
    both = cv2.GaussianBlur(2 * a * b, (0, 0), AGREEMENT_SIGMA / 2) + FLAT_BAND
    power = cv2.GaussianBlur(a * a + b * b, (0, 0), AGREEMENT_SIGMA / 2) + FLAT_BAND
    least, full = AGREEMENT
    return np.asarray(np.clip((both / power - least) / (full - least), 0, 1), np.float32)


_TRIANGLES = crop_triangles()
_TRIANGLES = _TRIANGLES[(_TRIANGLES < POINT_COUNT).all(axis=1)]


def _facing(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where a mesh (468, 3) is not seen edge-on, (128, 128) in 0..1."""
    edge_on = visibility(mesh)[_TRIANGLES].min(axis=1) < EDGE_ON
    corners = (mesh[_TRIANGLES[edge_on], :2] + 0.5) / 2 - 0.5
    canvas = np.zeros((_COARSE, _COARSE), np.uint8)
    for triangle in np.round(corners * 16).astype(np.int32):
        cv2.fillConvexPoly(canvas, triangle, (255,), cv2.LINE_AA, shift=4)
    soft = cv2.GaussianBlur(canvas, (0, 0), EDGE_SIGMA / 2).astype(np.float32) / 255
    return np.asarray(np.clip(1 - 2 * soft, 0, 1), np.float32)


def _eyes(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """The eyes, which are the composite's own whatever the decoder makes of them, (128, 128)."""
    canvas = np.maximum(*(polygon_mask(mesh[ring], CROP_SIZE) for ring in EYE_RINGS))
    small = cv2.resize(canvas, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), _EYE_SIGMA / 2)
    return np.asarray(np.minimum(2 * soft, 1), np.float32)
