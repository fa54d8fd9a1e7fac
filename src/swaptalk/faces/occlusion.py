"""Hands, microphones and hair in front of a face, found as lasting differences from how the person usually looks.

Every crop is unrolled onto the canonical mesh, so that lips lie on lips and cheeks on cheeks whatever the expression.
The median over a clip is the person without occluders; a frame is compared with it after a fit of the light.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.align import CROP_SIZE
from swaptalk.faces.raster import grid_cells, rasterise
from swaptalk.faces.topology import (
    FACE_OVAL,
    INNER_LIPS,
    LEFT_EYE,
    OUTER_LIPS,
    POINT_COUNT,
    RIGHT_EYE,
    canonical_crop_mesh,
    crop_triangles,
)

#: Crop pixels per texel: an occluder that matters is larger, and 4 px forgive the mesh's own errors.
_STEP = 4
_CELLS = grid_cells(CROP_SIZE, _STEP)
#: Frames of a clip that the model is made of; their memory does not grow with the clip.
SAMPLES = 48
#: Fewer frames than this say nothing about what is usual.
MINIMUM_SAMPLES = 8
#: Differences of lightness and of colour (CIE Lab) that expressions, shadows and compression make, and the multiple of
#: a texel's own median deviation that is added.
LIGHTNESS_TOLERANCE, COLOUR_TOLERANCE, DEVIATIONS = 13.0, 6.5, 4.0
#: Lips change with speech: redness and shading are trusted half as much there.
LIPS_FACTOR = 2.0
#: Smallest occluder, as a share of the compared texels.
MINIMUM_AREA = 0.025
#: Texels of the outline that are not compared (hair, background), and growth of what is found, in texels.
_RIM, _GROWTH = 2, 2
#: Rounds of the robust fit of the light.
_LIGHT_ROUNDS = 3


@lru_cache(maxsize=1)
def _layout() -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Texels of the face: flat index (K,), corners (K, 3), weights (K, 3); and how far each is trusted (K,).

    Trust is 0 on eyes, inside the mouth and on the rim, 1 / LIPS_FACTOR on lips, 1 on skin.
    """
    points = canonical_crop_mesh()
    triangles = crop_triangles()
    triangles = triangles[(triangles < POINT_COUNT).all(axis=1)]
    sample, owner, weights = rasterise(points, triangles, CROP_SIZE, _STEP)
    sample, first = np.unique(sample, return_index=True)
    trust = np.zeros((_CELLS, _CELLS), np.float32)
    _draw(trust, points[FACE_OVAL], 1.0)
    trust = np.asarray(cv2.erode(trust, np.ones((2 * _RIM + 1, 2 * _RIM + 1)), borderValue=0), np.float32)
    lips = np.zeros_like(trust)
    _draw(lips, points[OUTER_LIPS], 1.0)
    lips = np.asarray(cv2.dilate(lips, np.ones((3, 3))), np.float32)
    trust = np.where(lips > 0, trust / LIPS_FACTOR, trust).astype(np.float32)
    inner = np.zeros_like(trust)
    for ring in (INNER_LIPS, LEFT_EYE, RIGHT_EYE):
        _draw(inner, points[ring], 1.0)
    trust[cv2.dilate(inner, np.ones((3, 3))) > 0] = 0
    return sample, triangles[owner[first]], weights[first], trust.ravel()[sample]


def _draw(canvas: NDArray[np.float32], polygon: NDArray[np.floating], value: float) -> None:
    cv2.fillPoly(canvas, [np.round(polygon / _STEP).astype(np.int32)], (value,))


def _positions(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where the texels lie in the crop, (K, 2) pixels."""
    _, corners, weights, _ = _layout()
    return np.asarray(np.einsum("kv,kvd->kd", weights, np.asarray(mesh[:, :2], np.float32)[corners]), np.float32)


def unroll(crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """CIE Lab of the face's texels, (K, 3) float32, of a crop (256, 256, 3) uint8 with its mesh in crop pixels."""
    side = CROP_SIZE // _STEP
    small = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    where = (_positions(mesh) + 0.5) / _STEP - 0.5
    texels = cv2.remap(
        lab, np.ascontiguousarray(where[:, :1]), np.ascontiguousarray(where[:, 1:]), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(texels, np.float32).reshape(-1, 3)


class AppearanceModel:
    """How one person's face usually looks.

    ``median`` and ``deviation`` are (K, 3) float32 in Lab, one row per texel of the canonical face.
    """

    def __init__(self, median: NDArray[np.float32], deviation: NDArray[np.float32]) -> None:
        self.median, self.deviation = median, deviation
        trust = _layout()[3]
        floor = np.array([LIGHTNESS_TOLERANCE, COLOUR_TOLERANCE, COLOUR_TOLERANCE], np.float32)
        self._tolerance = floor + DEVIATIONS * deviation
        self._trust = trust[:, None]
        position = np.stack(np.divmod(_layout()[0], _CELLS), axis=1) / (_CELLS / 2) - 1
        self._plane = np.concatenate([np.ones((len(trust), 1)), position], axis=1).astype(np.float32)

    def occlusion(self, crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
        """What lies in front of the face, (256, 256) float32: 0 free, 1 covered.

        Args:
            crop: RGB (256, 256, 3) uint8 aligned crop.
            mesh: (468, 2 or 3) in crop pixels.
        """
        sample = _layout()[0]
        texels = unroll(crop, mesh)
        difference = texels - self.median
        difference -= self._light(difference)
        distance = np.sqrt((((difference * self._trust) / self._tolerance) ** 2).sum(axis=1))
        grid = np.zeros(_CELLS * _CELLS, np.float32)
        grid[sample] = distance
        found = _keep_large((grid.reshape(_CELLS, _CELLS) > 1).astype(np.uint8))
        if found is None:
            return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
        return _to_crop(found.ravel()[sample], _positions(mesh))

    def _light(self, difference: NDArray[np.float32]) -> NDArray[np.float32]:
        """Change of the light: a plane over the face per channel, fitted to the texels that are not occluded."""
        weight = (self._trust[:, 0] > 0).astype(np.float32)
        fit = np.zeros_like(difference)
        for _ in range(_LIGHT_ROUNDS):
            weighted = self._plane * weight[:, None]
            normal = weighted.T @ self._plane + 1e-3 * np.eye(3, dtype=np.float32)
            fit = self._plane @ np.linalg.solve(normal, weighted.T @ difference).astype(np.float32)
            distance = (((difference - fit) / self._tolerance) ** 2).sum(axis=1)
            weight = np.where(self._trust[:, 0] > 0, 1 / (1 + distance) ** 2, 0).astype(np.float32)
        return fit


def _keep_large(found: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Drop thin and small spots, grow the rest over the texels that were not compared; None if nothing is left."""
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    if not found.any():
        return None
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(found)
    smallest = MINIMUM_AREA * float((_layout()[3] > 0).sum())
    large = [k for k in range(1, count) if statistics[k, cv2.CC_STAT_AREA] >= smallest]
    if not large:
        return None
    kept = np.isin(labels, large).astype(np.uint8)
    return np.asarray(cv2.dilate(kept, np.ones((2 * _GROWTH + 1,) * 2, np.uint8)), np.float32)


def _to_crop(values: NDArray[np.float32], where: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread texel values (K,) from their places in the crop (K, 2) over the crop, softly."""
    side = CROP_SIZE // _STEP
    cell = np.clip((where / _STEP).astype(np.intp), 0, side - 1)
    flat = cell[:, 1] * side + cell[:, 0]
    total = np.bincount(flat, values, side * side).astype(np.float32).reshape(side, side)
    count = np.bincount(flat, minlength=side * side).astype(np.float32).reshape(side, side)
    # Where no texel falls (outside the face) the nearest ones decide: a hand goes on beyond the jaw.
    sums = [np.asarray(cv2.GaussianBlur(x, (0, 0), 1.2), np.float32) for x in (total, count)]
    far = [np.asarray(cv2.GaussianBlur(x, (0, 0), 3.0), np.float32) for x in (total, count)]
    mean = (sums[0] + 0.05 * far[0]) / np.maximum(sums[1] + 0.05 * far[1], 1e-4)
    full = cv2.resize(np.clip(2 * mean - 0.5, 0, 1), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, np.float32)


class AppearanceCollector:
    """Collects a clip's usable crops and makes the model; keeps a fixed number of frames, evenly spread."""

    def __init__(self) -> None:
        self._samples: list[NDArray[np.float32]] = []
        self._every = 1
        self._seen = 0

    def add(self, crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> None:
        """Take a crop (256, 256, 3) uint8 and its mesh (468, 2 or 3) in crop pixels."""
        if self._seen % self._every == 0:
            self._samples.append(unroll(crop, mesh).astype(np.float32))
            if len(self._samples) > 2 * SAMPLES:
                self._samples = self._samples[::2]
                self._every *= 2
        self._seen += 1

    def model(self) -> AppearanceModel | None:
        """The median face, or None if too few frames were seen."""
        if len(self._samples) < MINIMUM_SAMPLES:
            return None
        stack = np.stack(self._samples)
        median = np.median(stack, axis=0).astype(np.float32)
        return AppearanceModel(median, np.median(np.abs(stack - median), axis=0).astype(np.float32))
