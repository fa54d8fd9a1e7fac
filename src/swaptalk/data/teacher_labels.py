"""Where a teacher sees lips and eyes in a dataset's pictures: what the landmark networks learn,
cached beside the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.data.store import Dataset, Item
from swaptalk.data.unit_arrays import UnitArrays
from swaptalk.errors import InputError
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.inference.tflite import TFLiteModel

#: Points of the teacher; all but the irises' are numbered as the mesh's.
TEACHER_POINTS = 478


class LandmarkTeacher:
    """MediaPipe's 478-point network with refined lips and eyes (Grishchenko et al. 2020, arXiv
    2006.10962).

    Args:
        path: ``face_landmarks_detector.tflite`` of MediaPipe's face landmarker, which only training
            needs.

    Raises:
        InputError: it cannot be read, or is another network.
    """

    def __init__(self, path: Path) -> None:
        problem = InputError(
            "is not the 478-point landmark network",
            path=path,
            remedy="give face_landmarks_detector.tflite of MediaPipe's face landmarker",
        )
        try:
            self._model = TFLiteModel(path)
        except (OSError, ValueError, RuntimeError) as error:
            raise problem from error
        self._size = self._model.input_shape[1]
        if not any(
            output.size == 3 * TEACHER_POINTS
            for output in self._outputs(np.zeros((8, 8, 3), np.uint8))
        ):
            raise problem

    def _outputs(self, picture: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        scaled = (
            cv2.resize(picture, (self._size, self._size))
            if picture.shape[0] != self._size
            else picture
        )
        return self._model((scaled[None] / 255).astype(np.float32))

    def __call__(self, image: NDArray[np.uint8], region: CropRegion) -> NDArray[np.float32]:
        """Points (478, 3) in pixels of an RGB image (H, W, 3) of the face in a region."""
        matrix = region.matrix(self._size)
        cut = cv2.warpAffine(image, matrix, (self._size, self._size), flags=cv2.INTER_LINEAR)
        points = (
            next(o for o in self._outputs(np.asarray(cut)) if o.size == 3 * TEACHER_POINTS)
            .reshape(-1, 3)
            .copy()
        )
        inverse = cv2.invertAffineTransform(matrix)
        points[:, :2] = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
        points[:, 2] *= region.side / self._size
        return np.asarray(points, np.float32)


class TeacherLabels:
    """A part's points of a photo, and of some frames of each clip, in ``DATASET/<part>_<frames>``.

    Args:
        dataset: its pictures and meshes.
        part: name of the part of the face: "lips" or "eyes".
        points: which of the teacher's points are kept.
        frames: frames of a clip that are looked at, evenly spread over its usable ones.
    """

    def __init__(self, dataset: Dataset, part: str, points: NDArray[np.intp], frames: int) -> None:
        self._dataset, self._points, self._frames = dataset, points, frames
        self._arrays = UnitArrays(dataset.folder / f"{part}_{frames}", f"the teacher's {part}")

    def build(
        self,
        items: list[Item],
        teacher: LandmarkTeacher,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Let the teacher look at what is not cached yet; an interrupted build goes on where it
        was.
        """
        by_unit: dict[str, list[Item]] = {}
        for item in items:
            by_unit.setdefault(item.unit, []).append(item)
        self._arrays.build(by_unit, lambda unit: self._look(unit, by_unit[unit], teacher), progress)

    def _look(self, unit: str, items: list[Item], teacher: LandmarkTeacher) -> NDArray[np.float32]:
        """Points (n, P, 2) of a unit's pictures in crop pixels; zeros where nobody looked."""
        count = len(self._dataset.unit(unit).usable)
        found = np.zeros((count, len(self._points), 2), np.float32)
        for item in items:
            usable = np.flatnonzero(self._dataset.usable(item))
            spread = np.linspace(0, len(usable) - 1, min(self._frames, len(usable)))
            meshes = self._dataset.landmarks(item)
            for frame in usable[np.unique(spread.round().astype(int))]:
                region = CropRegion.around_points(np.asarray(meshes[frame, :, :2]))
                points = teacher(self._dataset.picture(item, int(frame)), region)
                found[item.first + frame] = points[self._points, :2]
        return found

    def known(self, item: Item) -> NDArray[np.intp]:
        """Frames of an item that the teacher has looked at."""
        return np.flatnonzero(self._of(item).any(axis=(1, 2)))

    def __call__(self, item: Item, frame: int) -> NDArray[np.float32]:
        """Points (P, 2) in crop pixels; zeros where the teacher has not looked."""
        return np.asarray(self._of(item)[frame], np.float32)

    def _of(self, item: Item) -> NDArray[np.float32]:
        return self._arrays(item.unit)[item.first : item.first + item.count]
