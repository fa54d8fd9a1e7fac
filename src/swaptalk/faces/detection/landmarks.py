"""468 face landmarks with MediaPipe Face Mesh (Kartynnik et al. 2019, arXiv 1907.06724), the lips
measured again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.lips import LipNetwork
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.inference.tflite import TFLiteModel


@dataclass(frozen=True)
class Landmarks:
    """Mesh of one face in one image.

    ``points`` is (468, 3) float32: x, y in pixels of the image (pixel centres at integers), z on
    the same scale, smaller towards the camera. ``presence`` is the network's 0..1 confidence that
    the crop shows a face.
    """

    points: NDArray[np.float32]
    presence: float

    @property
    def xy(self) -> NDArray[np.float32]:
        """(468, 2) image positions in pixels."""
        return self.points[:, :2]


class FaceMesh:
    """The 468-point mesh network, and the lip network that corrects its mouth.

    Args:
        path: path of ``face_landmark.tflite``.
        threads: CPU threads.
        refine_lips: False leaves the lips where the mesh network sees them, for comparisons.
    """

    def __init__(self, path: Path, threads: int = 1, refine_lips: bool = True) -> None:
        self._model = TFLiteModel(path, threads=threads)
        self._size = self._model.input_shape[1]
        self._lips = LipNetwork(threads=threads) if refine_lips else None

    def __call__(self, image: NDArray[np.uint8], region: CropRegion) -> Landmarks:
        """Return the mesh of the face inside ``region`` of an RGB image (H, W, 3) uint8."""
        matrix = region.matrix(self._size)
        crop = cv2.warpAffine(image, matrix, (self._size, self._size), flags=cv2.INTER_LINEAR)
        mesh, logit = self._model(crop[None].astype(np.float32) / 255.0)
        points = mesh.reshape(-1, 3).copy()
        inverse = cv2.invertAffineTransform(matrix)
        points[:, :2] = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
        points[:, 2] *= region.side / self._size
        presence = 1.0 / (1.0 + np.exp(-np.clip(float(logit.ravel()[0]), -80.0, 80.0)))
        points = points.astype(np.float32)
        return Landmarks(
            points if self._lips is None else self._lips(image, points), float(presence)
        )
