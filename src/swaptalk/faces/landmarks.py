"""468 face landmarks with MediaPipe Face Mesh (Kartynnik et al. 2019, arXiv 1907.06724), run in LiteRT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detect import Detection
from swaptalk.runtime.litert import LiteRTModel

#: The mesh network sees the face box enlarged by this factor, as it was trained.
CROP_MARGIN = 1.5
#: Outer eye corners (the subject's right, left): they give the in-plane rotation of the crop.
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263


@dataclass(frozen=True)
class Landmarks:
    """Mesh of one face in one image.

    ``points`` is (468, 3) float32: x, y in pixels of the image (pixel centres at integers), z on the same scale,
    smaller towards the camera. ``presence`` is the network's 0..1 confidence that the crop shows a face.
    """

    points: NDArray[np.float32]
    presence: float

    @property
    def xy(self) -> NDArray[np.float32]:
        """(468, 2) image positions in pixels."""
        return self.points[:, :2]


@dataclass(frozen=True)
class CropRegion:
    """Rotated square the mesh network looks at: centre (2,) in pixels, side in pixels, rotation in radians."""

    centre: NDArray[np.float32]
    side: float
    rotation: float

    @classmethod
    def around_detection(cls, face: Detection) -> CropRegion:
        """Region for a detected face: its box enlarged and turned so that the eyes are level."""
        right, left = face.keypoints[0], face.keypoints[1]
        return cls(face.centre, face.size * CROP_MARGIN, float(np.arctan2(left[1] - right[1], left[0] - right[0])))

    @classmethod
    def around_points(cls, xy: NDArray[np.float32]) -> CropRegion:
        """Region for the next frame from this frame's mesh (468, 2): its rotated bounding box, enlarged."""
        delta = xy[LEFT_EYE_OUTER] - xy[RIGHT_EYE_OUTER]
        rotation = float(np.arctan2(delta[1], delta[0]))
        cos, sin = np.cos(rotation), np.sin(rotation)
        turn = np.array([[cos, -sin], [sin, cos]], np.float32)  # columns are the face's own axes
        local = xy @ turn
        low, high = local.min(axis=0), local.max(axis=0)
        return cls(turn @ ((low + high) / 2), float((high - low).max()) * CROP_MARGIN, rotation)

    def matrix(self, size: int) -> NDArray[np.float32]:
        """(2, 3) affine matrix from image pixels to pixels of a ``size`` x ``size`` crop."""
        scale = size / self.side
        cos, sin = np.cos(self.rotation) * scale, np.sin(self.rotation) * scale
        linear = np.array([[cos, sin], [-sin, cos]], np.float32)
        offset = np.array([(size - 1) / 2] * 2, np.float32) - linear @ self.centre
        return np.concatenate([linear, offset[:, None]], axis=1)


class FaceMesh:
    """The 468-point mesh network.

    Args:
        path: path of ``face_landmark.tflite``.
        threads: CPU threads.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = LiteRTModel(path, threads=threads)
        self._size = self._model.input_shape[1]

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
        return Landmarks(points.astype(np.float32), float(presence))
