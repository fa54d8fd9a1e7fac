"""Hands, microphones and hair in front of a face, found as lasting differences from how the person
usually looks.

Every crop is unrolled onto the canonical mesh, so that lips lie on lips and cheeks on cheeks
whatever the expression. The median over a clip is the person without occluders; a frame is compared
with it after a fit of the light.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.raster import grid_cells, rasterise
from swaptalk.faces.geometry.topology import (
    FACE_OVAL,
    INNER_LIPS,
    LEFT_EYE,
    OUTER_LIPS,
    POINT_COUNT,
    RIGHT_EYE,
    canonical_crop_mesh,
    crop_triangles,
)

#: Crop pixels per texel: an occluder that matters is larger, and 4 px forgive the mesh's own
#: errors.
_STEP = 4
_CELLS = grid_cells(CROP_SIZE, _STEP)
#: Frames of a clip that the model is made of; their memory does not grow with the clip.
SAMPLES = 48
#: Fewer frames than this say nothing about what is usual.
MINIMUM_SAMPLES = 8
#: Differences that expressions, shadows and compression make in lightness, the two colours (CIE
#: Lab) and the steepness of lightness (fingers have edges where cheeks have none), and the multiple
#: of a texel's own median deviation added.
TOLERANCE, DEVIATIONS = (13.0, 6.5, 6.5, 9.0), 3.0
#: Lips change with speech: redness and shading are trusted half as much there.
LIPS_FACTOR = 2.0
#: An occluder, once found, includes the texels around it whose difference is at least this share of
#: the tolerance.
FAINT = 0.5
#: Texels narrower than this share of their frontal width are not compared, nor are their
#: neighbours.
FORESHORTENED = 0.4
#: Smallest occluder, as a share of the compared texels.
MINIMUM_AREA = 0.025
#: Texels of the outline that are not compared (hair, background), and growth of what is found, in
#: texels.
_RIM, _GROWTH = 2, 2
#: Lips and eyes this many texels wide are covered if both sides are.
_BRIDGE = 13
#: Rounds of the robust fit of the light.
_LIGHT_ROUNDS = 3


@lru_cache(maxsize=1)
def _layout() -> tuple[
    NDArray[np.intp], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]
]:
    """Texels of the face: flat index (K,), corners (K, 3), weights (K, 3); and how far each is
    trusted (K,).

    Trust is 0 on eyes, inside the mouth and on the rim, 1 / LIPS_FACTOR on lips, 1 on skin.
    """
    points = canonical_crop_mesh()
    triangles = crop_triangles()
    triangles = triangles[(triangles < POINT_COUNT).all(axis=1)]
    sample, owner, weights = rasterise(points, triangles, CROP_SIZE, _STEP)
    sample, first = np.unique(sample, return_index=True)
    trust = np.zeros((_CELLS, _CELLS), np.float32)
    _draw(trust, points[FACE_OVAL], 1.0)
    trust = np.asarray(
        cv2.erode(trust, np.ones((2 * _RIM + 1, 2 * _RIM + 1)), borderValue=0), np.float32
    )
    lips = np.zeros_like(trust)
    _draw(lips, points[OUTER_LIPS], 1.0)
    lips = np.asarray(cv2.dilate(lips, np.ones((3, 3))), np.float32)
    trust = np.where(lips > 0, trust / LIPS_FACTOR, trust).astype(np.float32)
    inner = np.zeros_like(trust)
    for ring in (INNER_LIPS, LEFT_EYE, RIGHT_EYE):
        _draw(inner, points[ring], 1.0)
    trust[cv2.dilate(inner, np.ones((3, 3))) > 0] = 0
    return sample, triangles[owner[first]], weights[first], trust.ravel()[sample]


def texel_count() -> int:
    """Number K of texels that a face is unrolled to."""
    return len(_layout()[0])


def _draw(canvas: NDArray[np.float32], polygon: NDArray[np.floating], value: float) -> None:
    cv2.fillPoly(canvas, [np.round(polygon / _STEP).astype(np.int32)], (value,))


def _positions(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where the texels lie in the crop, (K, 2) pixels."""
    _, corners, weights, _ = _layout()
    return np.asarray(
        np.einsum("kv,kvd->kd", weights, np.asarray(mesh[:, :2], np.float32)[corners]), np.float32
    )


def _facing(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 for texels (K,) that a turned head shows edge-on, where the mesh slips into the background;
    else 1.
    """
    sample = _layout()[0]
    grid = np.full((_CELLS, _CELLS), np.nan, np.float32)
    grid.ravel()[sample] = positions[:, 0]
    width = np.full_like(grid, _STEP)
    width[:, 1:] = np.nan_to_num(np.diff(grid, axis=1), nan=_STEP)
    wide = (width > FORESHORTENED * _STEP).astype(np.uint8)
    return np.asarray(cv2.erode(wide, np.ones((5, 7), np.uint8)), np.float32).ravel()[sample]


def unroll(crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Features of the face's texels: CIE Lab and the steepness of L.

    Args:
        crop: RGB (256, 256, 3) uint8.
        mesh: (468, 2 or 3) in crop pixels.

    Returns:
        (K, 4) float32.
    """
    side = CROP_SIZE // _STEP
    small = (
        np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.float32) / 255
    )
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32)
    slope = [
        np.asarray(cv2.Sobel(lab[..., 0], cv2.CV_32F, i, 1 - i, scale=0.25), np.float32)
        for i in (0, 1)
    ]
    features = np.dstack([lab, np.hypot(*slope)])
    where = (_positions(mesh) + 0.5) / _STEP - 0.5
    texels = cv2.remap(
        features,
        np.ascontiguousarray(where[:, :1]),
        np.ascontiguousarray(where[:, 1:]),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(texels, np.float32).reshape(-1, 4)


class AppearanceModel:
    """How one person's face usually looks.

    ``median`` and ``deviation`` are (K, 4) float32 features as of :func:`unroll`, a row per texel.
    """

    def __init__(self, median: NDArray[np.float32], deviation: NDArray[np.float32]) -> None:
        self.median, self.deviation = median, deviation
        trust = _layout()[3]
        self._tolerance = np.array(TOLERANCE, np.float32) + DEVIATIONS * deviation
        self._trust = trust[:, None]
        self._across = (_layout()[0] % _CELLS / (_CELLS / 2) - 1).astype(np.float32)[:, None]

    def occlusion(self, crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
        """What lies in front of the face, (256, 256) float32: 0 free, 1 covered.

        Args:
            crop: RGB (256, 256, 3) uint8 aligned crop.
            mesh: (468, 2 or 3) in crop pixels.
        """
        sample, _, _, _ = _layout()
        positions = _positions(mesh)
        texels = unroll(crop, mesh)
        difference = texels - self.median
        difference -= self._light(difference)
        distance = np.sqrt(
            (((difference * self._trust) / self._tolerance) ** 2).sum(axis=1)
        ) * _facing(positions)
        grid = np.zeros(_CELLS * _CELLS, np.float32)
        grid[sample] = distance
        found = _keep_large(grid.reshape(_CELLS, _CELLS))
        if found is None:
            return np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
        return _to_crop(found.ravel()[sample], positions)

    def _light(self, difference: NDArray[np.float32]) -> NDArray[np.float32]:
        """Change of the light: a shift of each channel, and of lightness from left to right as the
        head turns.

        No slope from top to bottom: a hand before the mouth would pass for it.
        """
        chosen = np.flatnonzero(self._trust[:, 0] > 0)[
            ::3
        ]  # a third of the texels fixes five numbers well enough
        some, across, tolerance = difference[chosen], self._across[chosen], self._tolerance[chosen]
        shift = np.median(some, axis=0)
        slope = np.float32(0)
        for _ in range(_LIGHT_ROUNDS):
            rest = some - shift
            rest[:, 0] -= slope * across[:, 0]
            weight = 1 / (1 + ((rest / tolerance) ** 2).sum(axis=1, keepdims=True)) ** 2
            total = max(float(weight.sum()), 1e-6)
            shift = shift + (weight * rest).sum(axis=0) / total
            spread = float((weight * across**2).sum())
            slope += np.float32((weight * across * rest[:, :1]).sum() / max(spread, 1e-6))
        fit = np.broadcast_to(shift, difference.shape).copy()
        fit[:, 0] += slope * self._across[:, 0]
        fit[:, 3] = 0  # steepness does not change with the light's level
        return fit.astype(np.float32)


def _keep_large(distance: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Spots of clear difference, grown into the faint difference around them; None if none is
    large.
    """
    seeds = cv2.morphologyEx(
        (distance > 1).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    smallest = MINIMUM_AREA * float((_layout()[3] > 0).sum())
    if not np.count_nonzero(seeds):
        return None
    seeds = cv2.morphologyEx(seeds, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    # What covers the surroundings of lips and eyes covers them as well.
    unsure = np.ones(_CELLS * _CELLS, np.uint8)
    unsure[_layout()[0]] = _layout()[3] < 1
    bridged = cv2.morphologyEx(seeds, cv2.MORPH_CLOSE, np.ones((_BRIDGE, _BRIDGE), np.uint8))
    seeds = np.maximum(seeds, bridged * unsure.reshape(seeds.shape)).astype(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(seeds)
    large = np.flatnonzero(statistics[:, cv2.CC_STAT_AREA] >= smallest)
    seeds = np.isin(labels, large[large > 0]).astype(np.uint8)
    if not np.count_nonzero(seeds):
        return None
    faint = cv2.morphologyEx(
        (distance > FAINT).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    _, labels = cv2.connectedComponents(np.maximum(faint, seeds).astype(np.uint8))
    kept = (np.isin(labels, np.unique(labels[seeds > 0])) & (labels > 0)).astype(np.uint8)
    # Hands and microphones are bulky: what lies between their found parts belongs to them.
    outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for outline in outlines:
        cv2.fillConvexPoly(kept, cv2.convexHull(outline), (1,))
    return np.asarray(cv2.dilate(kept, np.ones((2 * _GROWTH + 1,) * 2, np.uint8)), np.float32)


def _to_crop(values: NDArray[np.float32], where: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread texel values (K,) from their places in the crop (K, 2) over the crop, softly."""
    side = CROP_SIZE // _STEP
    cell = np.clip((where / _STEP).astype(np.intp), 0, side - 1)
    flat = cell[:, 1] * side + cell[:, 0]
    total = np.bincount(flat, values, side * side).astype(np.float32).reshape(side, side)
    count = np.bincount(flat, minlength=side * side).astype(np.float32).reshape(side, side)
    # Where no texel falls (outside the face) the nearest ones decide: a hand goes on beyond the
    # jaw.
    sums = [np.asarray(cv2.GaussianBlur(x, (0, 0), 1.2), np.float32) for x in (total, count)]
    far = [np.asarray(cv2.GaussianBlur(x, (0, 0), 3.0), np.float32) for x in (total, count)]
    mean = (sums[0] + 0.05 * far[0]) / np.maximum(sums[1] + 0.05 * far[1], 1e-4)
    full = cv2.resize(
        np.clip(2 * mean - 0.5, 0, 1), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(full, np.float32)


class SampleSchedule:
    """Which of a face's frames are looked at: a bounded number, evenly spread however many there
    will be.
    """

    def __init__(self) -> None:
        self._every, self._seen, self._kept = 1, 0, 0

    def take(self) -> bool:
        """Whether the next frame is one of them."""
        taken = self._seen % self._every == 0
        self._seen += 1
        if taken:
            self._kept += 1
            if (
                self._kept > 2 * SAMPLES
            ):  # every other one of those kept is dropped, see AppearanceCollector.keep
                self._kept = -(-self._kept // 2)
                self._every *= 2
        return taken


class AppearanceCollector:
    """Collects a clip's usable crops and makes the model; keeps a fixed number of frames, evenly
    spread.
    """

    def __init__(self) -> None:
        self._samples: list[NDArray[np.float32]] = []
        self._schedule = SampleSchedule()

    def add(self, crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> None:
        """Take a crop (256, 256, 3) uint8 and its mesh (468, 2 or 3) in crop pixels."""
        if self._schedule.take():
            self.keep(unroll(crop, mesh))

    def keep(self, features: NDArray[np.floating]) -> None:
        """Take the features (K, 4) of a frame that a :class:`SampleSchedule` has chosen."""
        self._samples.append(features.astype(np.float32))
        if len(self._samples) > 2 * SAMPLES:
            self._samples = self._samples[::2]

    def model(self) -> AppearanceModel | None:
        """The median face, or None if too few frames were seen."""
        if len(self._samples) < MINIMUM_SAMPLES:
            return None
        stack = np.stack(self._samples)
        median = np.median(stack, axis=0).astype(np.float32)
        return AppearanceModel(median, np.median(np.abs(stack - median), axis=0).astype(np.float32))
