"""Fine structure that the decoder loses, taken back from the composite that a swap was made of.

The network decides shades, colours and what lies where; lashes, brows and pores below `SIGMA` are
the composite's own, as far as both agree in the next coarser band: what the network removed, a
crease or the rim of glasses, stays removed.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.agreement import Agreement
from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.mesh_warp import visibility
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import face_triangles

#: Structure finer than this is the composite's, crop pixels (standard deviation).
SIGMA = 3.0
#: Where composite and face show the same in the band that the decoder keeps, fine structure is
#: given: what the network removed, it removed there too.
AGREEMENT = Agreement(fine=1.2, coarse=4.8, reach=4.0, least=0.4, full=0.8, flat=2.0)
#: The composite's fine structure is at most so many times as strong as the target's.
SHARPEST = 0.8
#: Fine structure weaker than this, in grey levels, says nothing about a picture's sharpness.
LEAST_STRENGTH = 0.5
#: Triangles of the mesh that keep less of their frontal area are seen edge-on: the composite's
#: texture is creased there.
EDGE_ON = 0.25
#: Softness of the edge around them, crop pixels (standard deviation).
EDGE_SIGMA = 3.0
#: It is drawn on every second pixel.
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
        composite: picture, mask and mesh, and what stays as it shows it.
        target: the target's aligned crop (256, 256, 3): the face does not become sharper than it.
        share: (256, 256) in 0..1 of the fine structure that is given, for each pixel; None gives
            all of it.

    Returns:
        (256, 256, 3) uint8 RGB.
    """
    weight = composite.mask if share is None else composite.mask * share
    gain = _gain(composite.picture, target, weight)
    weight = weight * AGREEMENT(face, composite.picture) * _facing(composite.mesh)
    difference = cv2.addWeighted(composite.picture, gain, face, -1.0, 0.0, dtype=cv2.CV_32F)
    more = np.asarray(difference - cv2.GaussianBlur(difference, (0, 0), SIGMA), np.float32)
    more *= weight[..., None]
    made = np.asarray(cv2.add(face, more, dtype=cv2.CV_8U), np.uint8)
    kept = composite.kept
    if kept is None:
        return made
    # Not the structure alone: the network takes darkness and colour from rims, too.
    return np.asarray(cv2.blendLinear(composite.picture, made, kept, 1 - kept), np.uint8)


def _gain(real: NDArray[np.uint8], target: NDArray[np.uint8], weight: NDArray[np.float32]) -> float:
    """What the fine structure of ``real`` is multiplied by, at most 1, where ``target`` is softer;
    both (256, 256, 3).
    """
    own, others = (_strength(one, weight) for one in (real, target))
    if own <= LEAST_STRENGTH * float(weight.sum()):
        return 1.0
    return min(1.0, SHARPEST * others / own)


def _strength(picture: NDArray[np.uint8], weight: NDArray[np.float32]) -> float:
    """Sum of a picture's fine structure."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return float((cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), SIGMA)) * weight).sum())


def _facing(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where a mesh (468, 3) is not seen edge-on, (256, 256) in 0..1."""
    triangles = face_triangles()
    edge_on = visibility(mesh)[triangles].min(axis=1) < EDGE_ON
    corners = (mesh[triangles[edge_on], :2] + 0.5) / 2 - 0.5
    canvas = np.zeros((_COARSE, _COARSE), np.uint8)
    for triangle in np.round(corners * 16).astype(np.int32):
        cv2.fillConvexPoly(canvas, triangle, (255,), cv2.LINE_AA, shift=4)
    soft = cv2.GaussianBlur(canvas, (0, 0), EDGE_SIGMA / 2).astype(np.float32) / 255
    return np.asarray(cv2.resize(np.clip(1 - 2 * soft, 0, 1), (CROP_SIZE, CROP_SIZE)), np.float32)
