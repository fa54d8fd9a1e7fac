"""LMD: distance of the mouth's landmarks between a generated and the real clip.

Papers differ in all four choices behind the number, so here they are. Detector: MediaPipe Face
Mesh, its lips measured again by the project's lip network (`swaptalk.faces.detection.lips`), which
took no part in any training of the others. Points: the 20 of the outer and the 20 of the inner lip
contour. Alignment: none for ``pixels`` and ``percent`` (both clips show the same frame), rigid
alignment by eyes and nose for ``aligned_percent``. Normalisation: none for ``pixels``, the real
face's eye distance for the others. Lower is better; 0 for equal mouths.
Defined only where the real clip speaks the same words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import RIGID_TEMPLATE, estimate_alignment
from swaptalk.faces.geometry.topology import LIPS

#: Corners of the subject's right and left eye in the mesh; an eye's centre is the middle of its
#: corners.
RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS = (33, 133), (263, 362)
#: Eye distance of the aligned crop in pixels.
ALIGNED_EYE_DISTANCE = float(
    np.linalg.norm(
        np.mean([RIGID_TEMPLATE[i] for i in LEFT_EYE_CORNERS], axis=0)
        - np.mean([RIGID_TEMPLATE[i] for i in RIGHT_EYE_CORNERS], axis=0)
    )
)


@dataclass(frozen=True)
class LandmarkDistance:
    """Mean over frames: in pixels of the frame, in % of the eye distance, and the latter after
    rigid alignment.
    """

    pixels: float
    percent: float
    aligned_percent: float


def eye_distance(meshes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distance (T,) in pixels between the eye centres of meshes (T, 468, 2 or 3)."""
    right, left = (
        meshes[:, list(corners), :2].mean(axis=1)
        for corners in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)
    )
    return np.asarray(np.linalg.norm(left - right, axis=-1), np.float64)


def align_meshes(meshes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Meshes (T, 468, 2 or 3) in image pixels -> (T, 468, 2) in pixels of the aligned crop."""
    return np.stack(
        [estimate_alignment(mesh[:, :2]).to_crop(mesh[:, :2]).astype(np.float64) for mesh in meshes]
    )


def landmark_distance(
    generated: NDArray[np.floating], real: NDArray[np.floating]
) -> LandmarkDistance:
    """Mean Euclidean distance of the mouth points, frame by frame.

    Args:
        generated: meshes (T, 468, 2 or 3) in pixels of the frames.
        real: meshes of the same frames of the real clip.

    Raises:
        ValueError: the shapes differ or there is no frame.
    """
    if generated.shape != real.shape or len(real) == 0:
        raise ValueError(f"meshes of shapes {generated.shape} and {real.shape} cannot be compared")
    difference = generated[:, LIPS, :2].astype(np.float64) - real[:, LIPS, :2].astype(np.float64)
    per_frame = np.linalg.norm(difference, axis=-1).mean(axis=1)
    aligned = align_meshes(generated)[:, LIPS] - align_meshes(real)[:, LIPS]
    return LandmarkDistance(
        pixels=float(per_frame.mean()),
        percent=float((per_frame / eye_distance(real)).mean() * 100),
        aligned_percent=float(np.linalg.norm(aligned, axis=-1).mean() / ALIGNED_EYE_DISTANCE * 100),
    )
