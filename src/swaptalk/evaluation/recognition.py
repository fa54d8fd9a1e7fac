"""Face recognisers for reporting; never part of a loss, because a picture optimised against a
recogniser fools it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.inference.litert import LiteRTModel
from swaptalk.metrics.identity_retrieval import normalise

#: Side of the recogniser's input.
INPUT_SIZE = 112
#: Where ArcFace's five points lie in it (Deng et al. 2019, arXiv 1801.07698): the subject's right
#: eye, left eye, nose tip, right and left corner of the mouth, in pixels.
ARCFACE_TEMPLATE: NDArray[np.float64] = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
#: The same points in the mesh; an eye's centre is the mean of its corners and lids.
_RIGHT_EYE, _LEFT_EYE = (33, 133, 159, 145), (263, 362, 386, 374)
_NOSE_TIP, _RIGHT_CORNER, _LEFT_CORNER = 4, 61, 291


def five_points(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """ArcFace's five points (5, 2) in image pixels from a mesh (468, 2 or 3)."""
    eyes = [mesh[list(eye), :2].mean(axis=0) for eye in (_RIGHT_EYE, _LEFT_EYE)]
    return np.stack([*eyes, *mesh[[_NOSE_TIP, _RIGHT_CORNER, _LEFT_CORNER], :2]]).astype(np.float64)


def recognition_matrix(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least-squares similarity (2, 3) from five image points (5, 2) to the template (Umeyama 1991).

    Raises:
        ValueError: the points coincide or are not finite.
    """
    source = np.asarray(points, np.float64)
    a, b = source - source.mean(axis=0), ARCFACE_TEMPLATE - ARCFACE_TEMPLATE.mean(axis=0)
    variance = float((a**2).sum())
    if not np.isfinite(variance) or variance < 1e-6:
        raise ValueError("the five points coincide or are not finite")
    real = float((a * b).sum()) / variance
    imaginary = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / variance
    linear = np.array([[real, -imaginary], [imaginary, real]])
    return np.concatenate(
        [linear, (ARCFACE_TEMPLATE.mean(axis=0) - linear @ source.mean(axis=0))[:, None]], axis=1
    )


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


class MobileFaceNet:
    """The reporting recogniser: MobileFaceNet (Chen et al. 2018, arXiv 1804.07573), 192 dimensions.

    Two photos of one person have a cosine of about .82, of two people .03.

    Args:
        path: ``MobileFaceNet.tflite``.
        threads: CPU threads.
    """

    name = "MobileFaceNet"
    #: The graph's batch is fixed.
    _BATCH = 2

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = LiteRTModel(path, threads=threads)

    def __call__(self, crops: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit-length embeddings (N, 192) of ``recognition_crop`` pictures (112, 112, 3) RGB uint8;
        N may be 0.
        """
        pictures = [(crop.astype(np.float32) - 127.5) / 128.0 for crop in crops]
        embedded: list[NDArray[np.float32]] = []
        for start in range(0, len(pictures), self._BATCH):
            pair = pictures[start : start + self._BATCH]
            filled = np.stack(pair + [pair[-1]] * (self._BATCH - len(pair)))
            embedded.extend(self._model(filled)[0][: len(pair)])
        if not embedded:
            return np.zeros((0, 192), np.float32)
        return normalise(np.stack(embedded)).astype(np.float32)
