"""Who is who across scene cuts: identity vectors of MobileFaceNet (Chen et al. 2018, arXiv
1804.07573), in LiteRT.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.geometry.align import RIGID_TEMPLATE, crop_face, estimate_alignment
from swaptalk.inference.litert import LiteRTModel

#: Side of the recogniser's input.
INPUT_SIZE = 112
#: ArcFace's template (Deng et al. 2019, arXiv 1801.07698) in that input: the two eye centres, and
#: the mouth's height.
_EYES, _MOUTH_Y = np.array([[38.2946, 51.6963], [73.5318, 51.5014]]), 92.28
#: Mean height of the mouth corners in the aligned crop.
_CROP_MOUTH_Y = 189.0


def _from_crop() -> NDArray[np.float64]:
    """(2, 3) matrix from the aligned crop, whose eyes and mouth lie at known places, to the
    recogniser's input.
    """
    right, left = ([RIGID_TEMPLATE[k] for k in corners] for corners in ((33, 133), (362, 263)))
    eyes = np.array([np.mean(right, axis=0), np.mean(left, axis=0)])
    wide = np.ptp(_EYES[:, 0]) / np.ptp(eyes[:, 0])
    tall = (_MOUTH_Y - _EYES[:, 1].mean()) / (_CROP_MOUTH_Y - eyes[:, 1].mean())
    scale = (wide + tall) / 2
    source = np.array([eyes[:, 0].mean(), (eyes[:, 1].mean() + _CROP_MOUTH_Y) / 2])
    target = np.array([_EYES[:, 0].mean(), (_EYES[:, 1].mean() + _MOUTH_Y) / 2])
    return np.concatenate([np.eye(2) * scale, (target - scale * source)[:, None]], axis=1)


class FaceRecogniser:
    """The ``embed`` of :class:`swaptalk.faces.detection.track.FaceTracker`.

    Args:
        path: ``MobileFaceNet.tflite``, whose batch is fixed at two.
        threads: CPU threads.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = LiteRTModel(path, threads=threads)
        self._matrix = _from_crop()

    def __call__(self, frame: NDArray[np.uint8], landmarks: Landmarks) -> NDArray[np.float32]:
        """Identity vector (192,) of a face in an RGB picture (H, W, 3) uint8; cosines compare two
        of them.
        """
        crop = crop_face(frame, estimate_alignment(landmarks.xy))
        face = cv2.warpAffine(
            crop, self._matrix, (INPUT_SIZE, INPUT_SIZE), flags=cv2.INTER_AREA
        ).astype(np.float32)
        mirrored = face[
            :, ::-1
        ]  # the second place of the batch, and the usual way to make the vector steadier
        vectors = self._model(((np.stack([face, mirrored]) - 127.5) / 128).astype(np.float32))[0]
        return np.asarray(vectors.sum(axis=0), np.float32)
