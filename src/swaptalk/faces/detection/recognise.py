"""Face recognition with MobileFaceNet (Chen et al. 2018, arXiv 1804.07573): people are
told apart across scene cuts, and identity is measured in reports.

It is never part of a loss: a picture optimised against a recogniser fools it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.recognition_crop import INPUT_SIZE, crop_to_recognition
from swaptalk.inference.tflite import TFLiteModel

#: Width of an embedding.
WIDTH = 192


class MobileFaceNet:
    """Recognition crops -> embeddings; cosines compare two of them.

    Two photos of one person have a cosine of about .82, of two people .03.

    Args:
        path: ``MobileFaceNet.tflite``.
        threads: CPU threads.
    """

    name = "MobileFaceNet"
    #: The graph's batch is fixed.
    _BATCH = 2

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = TFLiteModel(path, threads=threads)

    def __call__(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings (N, 192) of pictures (112, 112, 3) RGB; not of unit length. N may be 0."""
        pictures = [(crop.astype(np.float32) - 127.5) / 128 for crop in crops]
        embedded = [np.zeros((0, WIDTH), np.float32)]
        for start in range(0, len(pictures), self._BATCH):
            pair = pictures[start : start + self._BATCH]
            filled = np.stack(pair + [pair[-1]] * (self._BATCH - len(pair))).astype(np.float32)
            embedded.append(self._model(filled)[0][: len(pair)])
        return np.concatenate(embedded)

    def directions(self, crops: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The same embeddings (N, 192), scaled to unit length."""
        vectors = self(list(crops)).astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


class FaceRecogniser:
    """The ``embed`` of :class:`swaptalk.faces.detection.track.FaceTracker`.

    Args:
        path: ``MobileFaceNet.tflite``.
        threads: CPU threads.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._network = MobileFaceNet(path, threads)
        self._matrix = crop_to_recognition()

    def __call__(self, frame: NDArray[np.uint8], landmarks: Landmarks) -> NDArray[np.float32]:
        """Identity vector (192,) of a face in an RGB picture (H, W, 3) uint8."""
        return self.of_crop(crop_face(frame, estimate_alignment(landmarks.xy)))

    def of_crop(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Identity vector (192,) of an aligned crop (256, 256, 3) uint8."""
        face = np.asarray(
            cv2.warpAffine(crop, self._matrix, (INPUT_SIZE, INPUT_SIZE), flags=cv2.INTER_AREA),
            np.uint8,
        )
        # The mean with the mirrored face is steadier.
        return np.asarray(self._network([face, face[:, ::-1]]).sum(axis=0), np.float32)
