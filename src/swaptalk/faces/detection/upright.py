"""Orientation of faces: the detector must agree with the mesh, else other rotations are tried.

The mesh network is as sure of a face that is upside down as of one that is not, with the eyes on
the cheeks; the detector is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.detect import FaceDetector, intersection_over_union
from swaptalk.faces.detection.landmarks import FaceMesh, Landmarks
from swaptalk.faces.geometry.pose import eye_distance
from swaptalk.faces.geometry.region import CropRegion, Detection

#: Agreement (see `agreement`) at which a face is the right way up for sure. 25 photographs of
#: people reach 0.67 to 0.91; turned by 90 or 180 degrees none reaches more than 0.65.
CERTAIN = 0.7
#: Another way up is right if its agreement is larger by this.
MARGIN = 0.08
#: Presence at which a face is believed.
PRESENCE_TO_START = 0.8
#: Below this agreement in the best of all ways it is no face.
MINIMUM_AGREEMENT = 0.1
#: Side of the picture that the detector sees of a single face, and its size in regions of the mesh
#: network.
_VIEW_SIZE, _VIEW_REGIONS = 256, 1.5
#: Corners of the eyes, tip of the nose and lips: the mesh points that lie at the detector's first
#: four keypoints.
_KEYPOINTS = ((33, 133), (362, 263), (1,), (13, 14))
#: Overlap of two detections in differently turned pictures above which they are one face.
SAME_FACE_OVERLAP = 0.15


def agreement(found: Detection, landmarks: Landmarks) -> float:
    """The detector's score less the mean distance of its keypoints from the mesh's, in eye
    distances.
    """
    seen = np.stack([landmarks.xy[list(points)].mean(axis=0) for points in _KEYPOINTS])
    apart = np.linalg.norm(seen - found.keypoints[: len(_KEYPOINTS)], axis=1).mean()
    return found.score - float(apart) / max(eye_distance(landmarks.points), 1.0)


class UprightMesh:
    """Finds faces of any orientation in a picture.

    Args:
        detector: finds faces.
        mesh: finds the landmarks.
    """

    def __init__(self, detector: FaceDetector, mesh: FaceMesh) -> None:
        self._detector, self._mesh = detector, mesh

    def __call__(
        self,
        frame: NDArray[np.uint8],
        small: NDArray[np.uint8],
        search: bool,
        known: Callable[[Detection], bool],
    ) -> list[Landmarks]:
        """Landmarks of the faces that detector and mesh agree on, from left to right.

        Args:
            frame: RGB (H, W, 3) uint8.
            small: the same in the size that the detector gets.
            search: look for faces on their side and upside down if there are no others.
            known: says of a detection in the frame that it needs no landmarks.
        """
        scale = small.shape[1] / frame.shape[1]
        found = [face for face in _scaled(self._detector(small), scale) if not known(face)]
        faces = self._believed(frame, small, found, None, search)
        if not faces and search:
            turned = self._turned(small, scale)
            faces = self._believed(frame, small, turned, turned, search)
        return faces

    def _believed(
        self,
        frame: NDArray[np.uint8],
        small: NDArray[np.uint8],
        found: list[Detection],
        turned: list[Detection] | None,
        search: bool,
    ) -> list[Landmarks]:
        ordered = sorted(found, key=lambda face: float(face.box[0]))
        faces = [self._upright(frame, small, face, turned, search) for face in ordered]
        return [f for f in faces if f is not None and f.presence >= PRESENCE_TO_START]

    def _upright(
        self,
        frame: NDArray[np.uint8],
        small: NDArray[np.uint8],
        face: Detection,
        turned: list[Detection] | None,
        search: bool,
    ) -> Landmarks | None:
        region = CropRegion.around_detection(face)
        best = self._centred(frame, region)
        best_agreement = agreement(face, best)
        if best_agreement >= CERTAIN:
            return best
        if best.presence < PRESENCE_TO_START and not search:
            return None  # not worth the time of the other ways
        ways: list[tuple[float, Landmarks]] = []
        for quarters in (0, 2, 1, 3):
            rotation = region.rotation + quarters * np.pi / 2
            way = CropRegion(region.centre, region.side, rotation)
            other = best if not quarters else self._centred(frame, way)
            ways.append((self._seen(frame, way, other), other))
        if turned is None:
            turned = self._turned(small, small.shape[1] / frame.shape[1])
        for again in turned:
            if intersection_over_union(again.box, face.box) > SAME_FACE_OVERLAP:
                other = self._centred(frame, CropRegion.around_detection(again))
                ways.append((agreement(again, other), other))
        agreed, other = max(ways, key=lambda way: way[0])
        if agreed > best_agreement + MARGIN:
            best, best_agreement = other, agreed
        return best if best_agreement >= MINIMUM_AGREEMENT else None

    def _turned(self, small: NDArray[np.uint8], scale: float) -> list[Detection]:
        """What the detector sees in the picture turned by 90, 180 and 270 degrees."""
        height, width = small.shape[:2]
        found = []
        for quarters in (2, 1, 3):
            back = _back(quarters, width, height)
            picture = np.ascontiguousarray(np.rot90(small, quarters))
            found += [_mapped(face, back) for face in self._detector(picture)]
        return _scaled(sorted(found, key=lambda face: -face.score), scale)

    def _centred(self, frame: NDArray[np.uint8], region: CropRegion) -> Landmarks:
        """Run the mesh again on a region centred by its first result, as tracking does."""
        return self._mesh(frame, CropRegion.around_points(self._mesh(frame, region).xy))

    def _seen(self, frame: NDArray[np.uint8], region: CropRegion, landmarks: Landmarks) -> float:
        """Best agreement of what the detector sees if the picture is turned as the region is."""
        view = CropRegion(region.centre, region.side * _VIEW_REGIONS, region.rotation)
        matrix = view.matrix(_VIEW_SIZE)
        picture = cv2.warpAffine(frame, matrix, (_VIEW_SIZE, _VIEW_SIZE), flags=cv2.INTER_LINEAR)
        inverse = cv2.invertAffineTransform(matrix)
        return max(
            (
                agreement(_mapped(found, inverse), landmarks)
                for found in self._detector(np.asarray(picture, np.uint8))
            ),
            default=-1.0,
        )


def _scaled(found: Iterable[Detection], scale: float) -> list[Detection]:
    """Detections in a picture ``scale`` times as large, in that one's pixels."""
    factor = np.float32(1 / scale)
    return [Detection(face.box * factor, face.keypoints * factor, face.score) for face in found]


def _mapped(found: Detection, matrix: NDArray[Any]) -> Detection:
    """A detection in another picture; its box stays level."""
    corners = found.box[[[0, 1], [2, 1], [2, 3], [0, 3]]]
    corners, keypoints = (
        (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        for points in (corners, found.keypoints)
    )
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Detection(box, keypoints, found.score)


def _back(quarters: int, width: int, height: int) -> NDArray[np.float32]:
    """Affine matrix (2, 3) from a picture turned by ``np.rot90`` to the picture itself."""
    return np.array(
        [
            [[1, 0, 0], [0, 1, 0]],
            [[0, -1, width - 1], [1, 0, 0]],
            [[-1, 0, width - 1], [0, -1, height - 1]],
            [[0, 1, 0], [-1, 0, height - 1]],
        ][quarters],
        np.float32,
    )
