"""Where a face is in a picture: detections, and the rotated square a landmark network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The mesh network sees the face box enlarged by this factor, as it was trained.
CROP_MARGIN = 1.5
#: Outer eye corners (the subject's right, left): they give the in-plane rotation of the crop.
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263


@dataclass(frozen=True)
class Detection:
    """One face: box and six keypoints in pixels of the image it was found in.

    ``box`` is (left, top, right, bottom). ``keypoints`` is (6, 2): the subject's right eye, left
    eye, nose tip, mouth centre, right ear, left ear. ``score`` is in 0..1.
    """

    box: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    score: float

    @property
    def size(self) -> float:
        """Longer side of the box in pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    @property
    def centre(self) -> NDArray[np.float32]:
        """Middle of the box in pixels, (2,)."""
        return np.asarray((self.box[:2] + self.box[2:]) / 2, np.float32)


@dataclass(frozen=True)
class CropRegion:
    """Rotated square the mesh network looks at: centre (2,) in pixels, side in pixels, rotation in
    radians.
    """

    centre: NDArray[np.float32]
    side: float
    rotation: float

    @classmethod
    def around_detection(cls, face: Detection) -> CropRegion:
        """Region for a detected face: its box enlarged and turned so that the eyes are level."""
        right, left = face.keypoints[0], face.keypoints[1]
        return cls(
            face.centre,
            face.size * CROP_MARGIN,
            float(np.arctan2(left[1] - right[1], left[0] - right[0])),
        )

    @classmethod
    def around_points(cls, xy: NDArray[np.float32]) -> CropRegion:
        """Region for the next frame from this frame's mesh (468, 2): its rotated bounding box,
        enlarged.
        """
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
