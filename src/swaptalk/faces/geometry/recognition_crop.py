"""The 112 px crop that face recognisers see: ArcFace's template (Deng et al. 2019, arXiv
1801.07698) fitted to a mesh, or cut out of the aligned crop by one fixed transform.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import RIGID_TEMPLATE, fit_similarity

#: Side of the input of SFace, MobileFaceNet and nearly every other face recogniser.
INPUT_SIZE = 112
#: Where ArcFace's five points lie in it: the subject's right eye, left eye, nose tip, right and
#: left corner of the mouth, in pixels.
ARCFACE_TEMPLATE: NDArray[np.float64] = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
#: Height of the mouth's corners in the template, and their mean height in the aligned crop.
_MOUTH_Y, _CROP_MOUTH_Y = 92.28, 189.0
#: The same points in the mesh; an eye's centre is the mean of its corners and lids.
_RIGHT_EYE, _LEFT_EYE = (33, 133, 159, 145), (263, 362, 386, 374)
_NOSE_TIP, _RIGHT_CORNER, _LEFT_CORNER = 4, 61, 291


def five_points(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """ArcFace's five points (5, 2) in image pixels from a mesh (468, 2 or 3)."""
    eyes = [mesh[list(eye), :2].mean(axis=0) for eye in (_RIGHT_EYE, _LEFT_EYE)]
    return np.stack([*eyes, *mesh[[_NOSE_TIP, _RIGHT_CORNER, _LEFT_CORNER], :2]]).astype(np.float64)


def recognition_matrix(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Similarity (2, 3) from five image points (5, 2) to the template.

    Raises:
        ValueError: the points coincide or are not finite.
    """
    return fit_similarity(points, ARCFACE_TEMPLATE)


def recognition_crop(image: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Cut the aligned (112, 112, 3) crop of a face with the mesh (468, 2 or 3) out of an RGB image
    (H, W, 3) uint8.
    """
    matrix = recognition_matrix(five_points(mesh))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:  # low-pass first, so that large faces do not alias
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.35 / scale), np.uint8)
    return np.asarray(
        cv2.warpAffine(image, matrix, (INPUT_SIZE, INPUT_SIZE), flags=cv2.INTER_LINEAR), np.uint8
    )


def crop_to_recognition() -> NDArray[np.float64]:
    """(2, 3) matrix from the aligned 256 px crop to the 112 px recognition crop.

    The aligned crop has its eyes and mouth at known places, so one fixed transform replaces a
    landmark fit: eye centres onto eye centres, with the scale that fits eye distance and eye-mouth
    distance equally well.
    """
    right, left = ([RIGID_TEMPLATE[k] for k in corners] for corners in ((33, 133), (362, 263)))
    eyes = np.array([np.mean(right, axis=0), np.mean(left, axis=0)])
    there = ARCFACE_TEMPLATE[:2]
    wide = np.ptp(there[:, 0]) / np.ptp(eyes[:, 0])
    tall = (_MOUTH_Y - there[:, 1].mean()) / (_CROP_MOUTH_Y - eyes[:, 1].mean())
    scale = (wide + tall) / 2
    source = np.array([eyes[:, 0].mean(), (eyes[:, 1].mean() + _CROP_MOUTH_Y) / 2])
    target = np.array([there[:, 0].mean(), (there[:, 1].mean() + _MOUTH_Y) / 2])
    return np.concatenate([np.eye(2) * scale, (target - scale * source)[:, None]], axis=1)
