"""Hands, microphones and other things in front of a face, found by a small network of our own.

The network sees one aligned crop at a time, so it also finds what is there from the first frame to
the last; `swaptalk train occlusion` made it. What it finds inside the lips alone is dropped: there
the target's own teeth and tongue would come back.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import FACE_OVAL, OUTER_LIPS
from swaptalk.inference.exact import ExactNetwork

#: The network that comes with the package.
NETWORK = Path(__file__).parent / "occlusion.onnx"
#: Sides of the network's view of the crop and of the grid of its answers.
VIEW_SIZE, GRID_SIZE = 128, 64
_STEP = CROP_SIZE // GRID_SIZE
#: An occluder is believed where the logit exceeds the first of these, and goes on to where it falls
#: below the second. Where there was one in the frame before, the second is enough.
LOGIT_TO_START, LOGIT_TO_KEEP = 1.0, -0.5
#: Smallest occluder as a share of the face's cells; what touches one of the frame before may be
#: smaller.
MINIMUM_AREA = 0.01
#: What lies within the lips with more than this share is the mouth itself: a microphone stands out.
MOUTH_SHARE = 0.85
#: Growth of what is found, in cells, and softness of its edge (standard deviation): rather a rim of
#: the target's own face than a new face on a finger.
_GROWTH, _SOFTNESS = 1, 0.8


def occlusion_view(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the network sees (128, 128, 3) of an aligned crop (256, 256, 3)."""
    return np.asarray(
        cv2.resize(crop, (VIEW_SIZE, VIEW_SIZE), interpolation=cv2.INTER_AREA), np.uint8
    )


class OcclusionNetwork:
    """Finds what lies in front of a face. Not for use from several threads at once.

    Args:
        path: the ONNX file.
        threads: CPU threads.
    """

    def __init__(self, path: Path = NETWORK, threads: int = 1) -> None:
        self._network = ExactNetwork(path, threads)

    def __call__(
        self,
        crop: NDArray[np.uint8],
        mesh: NDArray[np.floating],
        before: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """What lies in front of the face, (256, 256) float32: 0 free, 1 covered.

        Args:
            crop: RGB (256, 256, 3) uint8 aligned crop.
            mesh: landmarks (468, 2 or 3) in crop pixels.
            before: the answer for the frame before in the same scene.
        """
        logits = self._network(occlusion_view(crop)[None])
        return occlusion_mask(np.asarray(logits[0], np.float32), mesh, before)

    def share(self, crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> float:
        """Share of the face (0..1) that something lies in front of; arguments as in a call."""
        face = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
        cv2.fillConvexPoly(face, _outline(mesh, FACE_OVAL, 1), (1,))
        covered = self(crop, mesh)
        return float(covered[face > 0].mean()) if face.any() else 0.0


def occlusion_mask(
    logits: NDArray[np.float32],
    mesh: NDArray[np.floating],
    before: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """From the network's answer to a soft mask of the crop, see `OcclusionNetwork`.

    Args:
        logits: (64, 64) float32.
        mesh: landmarks (468, 2 or 3) in crop pixels.
        before: mask (256, 256) of the frame before.
    """
    candidates = (logits > LOGIT_TO_KEEP).astype(np.uint8)
    seeds = logits > LOGIT_TO_START
    if before is not None and before.any():
        known = cv2.resize(before, (GRID_SIZE, GRID_SIZE), interpolation=cv2.INTER_AREA) > 0.5
        seeds |= known & (candidates > 0)
    else:
        known = np.zeros_like(seeds)
    if not seeds.any():
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    face, lips = (_drawn(mesh, ring) for ring in (FACE_OVAL, OUTER_LIPS))
    count, labels = cv2.connectedComponents(candidates)
    kept = np.zeros_like(candidates)
    for label in range(1, count):
        part = labels == label
        on_face = int((part & face).sum())
        if not (part & seeds).any() or not on_face:
            continue
        if on_face < MINIMUM_AREA * face.sum() and not (part & known).any():
            continue
        if int((part & lips).sum()) > MOUTH_SHARE * on_face:
            continue
        kept[part] = 1
    if not kept.any():
        return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    grown = cv2.dilate(kept, np.ones((2 * _GROWTH + 1,) * 2, np.uint8)).astype(np.float32)
    soft = cv2.GaussianBlur(grown, (0, 0), _SOFTNESS)
    full = cv2.resize(soft, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, np.float32)


def _outline(mesh: NDArray[np.floating], ring: NDArray[np.intp], step: int) -> NDArray[np.int32]:
    """Points (N, 2) of a ring on a grid of ``step`` crop pixels."""
    return np.round((mesh[ring, :2] + 0.5) / step - 0.5).astype(np.int32)


def _drawn(mesh: NDArray[np.floating], ring: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells (64, 64) inside a ring of mesh points."""
    canvas = np.zeros((GRID_SIZE, GRID_SIZE), np.uint8)
    cv2.fillPoly(canvas, [_outline(mesh, ring, _STEP)], (1,))
    return canvas > 0
