"""Face detection with BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.region import Detection
from swaptalk.inference.tflite import TFLiteModel

#: Detections of the two networks that overlap more than this are the same face.
DUPLICATE_IOU = 0.3
#: Below this score BlazeFace boxes are mostly hands, ears and patterned clothes.
MINIMUM_SCORE = 0.5


def _anchors(input_size: int, layout: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """Anchor centres (N, 2) in pixels of the network's input, in the network's output order.

    ``layout`` lists (stride, anchors per cell) of each output grid.
    """
    layers = []
    for stride, per_cell in layout:
        cells = input_size // stride
        centre = (np.arange(cells, dtype=np.float32) + 0.5) * stride
        grid = np.stack(np.meshgrid(centre, centre), axis=-1).reshape(-1, 2)
        layers.append(np.repeat(grid, per_cell, axis=0))
    return np.asarray(np.concatenate(layers), np.float32)


class _BlazeFace:
    """One BlazeFace network: letterboxed square input, boxes relative to anchors."""

    def __init__(self, path: Path, layout: tuple[tuple[int, int], ...], threads: int) -> None:
        self._model = TFLiteModel(path, threads=threads)
        self._size = self._model.input_shape[1]
        self._anchors = _anchors(self._size, layout)

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        height, width = image.shape[:2]
        scale = self._size / max(height, width)
        shrunk = cv2.resize(
            image,
            (max(1, round(width * scale)), max(1, round(height * scale))),
            interpolation=cv2.INTER_AREA,
        )
        canvas = np.zeros((self._size, self._size, 3), np.float32)
        canvas[: shrunk.shape[0], : shrunk.shape[1]] = shrunk / 127.5 - 1.0
        regressors, logits = self._model(canvas[None])
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits[0, :, 0], -80.0, 80.0)))
        kept = scores >= MINIMUM_SCORE
        raw = regressors[0, kept].reshape(-1, 8, 2)
        centres = self._anchors[kept]
        middle, extent = centres + raw[:, 0], raw[:, 1]
        boxes = np.concatenate([middle - extent / 2, middle + extent / 2], axis=1) / scale
        keypoints = (centres[:, None] + raw[:, 2:]) / scale
        found = [
            Detection(b.astype(np.float32), k.astype(np.float32), float(s))
            for b, k, s in zip(boxes, keypoints, scores[kept], strict=True)
        ]
        return _merge_overlapping(found)


def intersection_over_union(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Overlap of two (left, top, right, bottom) boxes, 0..1."""
    corner = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = float(np.prod(np.maximum(corner, 0.0)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inter
    return inter / union if union > 0 else 0.0


def _merge_overlapping(found: list[Detection]) -> list[Detection]:
    """Weighted non-maximum suppression: each cluster of boxes becomes its score-weighted mean."""
    rest = sorted(found, key=lambda d: -d.score)
    merged = []
    while rest:
        cluster = [d for d in rest if intersection_over_union(rest[0].box, d.box) > DUPLICATE_IOU]
        weights = np.array([d.score for d in cluster], np.float32)
        weights /= weights.sum()
        merged.append(
            Detection(
                np.einsum("n,nd->d", weights, np.stack([d.box for d in cluster])),
                np.einsum("n,nkd->kd", weights, np.stack([d.keypoints for d in cluster])),
                cluster[0].score,
            )
        )
        members = {id(d) for d in cluster} | {id(rest[0])}
        rest = [d for d in rest if id(d) not in members]
    return merged


class FaceDetector:
    """Finds faces with the near (`back`) and far (`full range`) BlazeFace networks together.

    Args:
        back: path of ``face_detection_back.tflite`` (256 px input, faces larger than about a tenth
            of the image).
        full_range: path of ``face_detection_full_range.tflite`` (192 px input, smaller faces).
        threads: CPU threads of each network.
    """

    def __init__(self, back: Path, full_range: Path, threads: int = 1) -> None:
        self._near = _BlazeFace(back, layout=((16, 2), (32, 6)), threads=threads)
        self._far = _BlazeFace(full_range, layout=((4, 1),), threads=threads)

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of an RGB image (H, W, 3) uint8, largest first; empty when there are
        none.
        """
        found = self._near(image)
        known = [d.box for d in found]
        found += [
            d
            for d in self._far(image)
            if all(intersection_over_union(d.box, b) <= DUPLICATE_IOU for b in known)
        ]
        return sorted(found, key=lambda d: -d.size)
