"""Piecewise-affine warps of a face onto another mesh, and what of a face can be used for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import luma
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.box import Box
from swaptalk.faces.geometry.raster import grid_cells, rasterise
from swaptalk.faces.geometry.topology import (
    CHEEKS,
    FACE_OVAL,
    LEFT_EYE,
    LOWER_FACE,
    MIDDLE_FACE,
    MIRROR,
    OUTER_LIPS,
    POINT_COUNT,
    RIGHT_EYE,
    border_points,
    canonical_crop_mesh,
    crop_triangles,
    face_triangles,
)

#: The map is computed on every fourth pixel and interpolated: it is piecewise affine with triangles
#: of some 8 px.
MAP_STEP = 4
#: A point seen at less than this share of its frontal area is taken from the face's other side,
#: mirrored: near its outline a turned face's mesh lies on hair and background...
HIDDEN_BELOW = 0.65
#: ...with this transition of the share, and this blur of the seam (share of the crop).
HIDDEN_SOFTNESS = 0.2
HIDDEN_BLUR = 0.01
#: Faces of which no point is hidden by more than this are as good as frontal.
LEAST_HIDDEN = 0.05
#: Blur of a gain given at the points of the mesh (share of the crop): triangles must not show.
GAIN_BLUR = 0.015
#: Source area per target area below which a region counts as smeared.
MAXIMUM_STRETCH = 0.35
#: Brightness (in stops) and colour (share of the luma) beyond which forehead and temples are not
#: the cheeks' skin.
SKIN_LIGHT, SKIN_COLOUR = 0.7, 0.3
#: Blur before and after that comparison, share of the crop.
SKIN_SIGMA = 0.012
#: It is made on a picture smaller by this factor: the blur leaves nothing finer.
SKIN_STEP = 2
#: What is beyond them counts more and more, in full at 1 + 1 / slope times the limit: skin has no
#: sharp limits.
STRANGE_SLOPE = 2.0
#: Nothing is bare where this share of the blurred neighbourhood is strange: a strand is seldom
#: wider than the blur.
COVERED_SHARE = 0.4
#: Spread (standard deviation, stops) of a face's brightness up to which its light is even, and from
#: which it is hard.
EVEN_LIGHT, HARD_LIGHT = 0.3, 1.0


class MeshRaster(NamedTuple):
    """Which triangle of a mesh covers each sample of a coarse grid over the crop, made once for
    several warps onto it: see `rasterise`.
    """

    sample: NDArray[np.intp]
    """Flat index (K,) in the grid."""
    corners: NDArray[np.intp]
    """Vertices (3, K) of the triangle."""
    weights: NDArray[np.float32]
    """Barycentric weights (3, K)."""
    step: int
    """Pixels between samples."""


def mesh_raster(
    mesh: NDArray[np.floating], size: int = CROP_SIZE, step: int = MAP_STEP
) -> MeshRaster:
    """Rasterise a mesh (468, 2 or 3) in crop pixels, with the fixed frame around the crop."""
    triangles = crop_triangles()
    depth = mesh[:, 2] if mesh.shape[1] == 3 else None
    sample, owner, weights = rasterise(_with_border(mesh, size), triangles, size, step, depth)
    corners = np.ascontiguousarray(triangles[owner].T, np.intp)
    return MeshRaster(sample, corners, np.ascontiguousarray(weights.T), step)


def _samples(
    values: Sequence[NDArray[np.floating]], raster: MeshRaster, size: int
) -> NDArray[np.float32]:
    """Interpolate vertex values (468 + 16, D), all of them side by side, over a mesh's triangles:
    (sum of D, cells, cells) at the samples of the coarse grid.
    """
    cells = grid_cells(size, raster.step)
    # Long rows are quicker than many of two or three.
    columns = np.ascontiguousarray(np.concatenate(values, axis=1).T, np.float32)
    # Samples in no triangle (a mesh that reaches beyond the fixed frame) keep the last border
    # point's value.
    coarse = np.repeat(columns[:, -1:], cells * cells, axis=1)
    inside = columns.take(raster.corners[0], axis=1) * raster.weights[0]
    for corner in (1, 2):
        inside += columns.take(raster.corners[corner], axis=1) * raster.weights[corner]
    coarse[:, raster.sample] = inside
    return coarse.reshape(-1, cells, cells)


def dense(
    coarse: NDArray[np.float32],
    step: int,
    size: tuple[int, int],
    first: tuple[float, float] = (0.0, 0.0),
    pitch: float = 1.0,
) -> NDArray[np.float32]:
    """Interpolate a coarse grid (cells, cells) or (cells, cells, D), whose samples lie ``step``
    pixels apart.

    Args:
        coarse: the grid.
        step: of its samples.
        size: width W and height H of the result.
        first: x and y of the result's first value in pixels.
        pitch: pixels between its values.

    Returns:
        (H, W) or (H, W, D).
    """
    # Coarse sample i lies at pixel i * step, which is not how cv2.resize aligns its grids.
    matrix = np.array([[pitch, 0, first[0]], [0, pitch, first[1]]]) / step
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(coarse, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def _with_border(mesh: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(mesh[:, :2], np.float32), border_points(size)])


def coarse_map(
    source_mesh: NDArray[np.floating],
    target_mesh: NDArray[np.floating],
    size: int = CROP_SIZE,
    step: int = MAP_STEP,
) -> NDArray[np.float32]:
    """Where every ``step``-th pixel of the target comes from in the source: (2, cells, cells), x
    and y in source pixels, for `dense`.

    Args:
        source_mesh: (468, 2 or 3) points in the source crop, pixels.
        target_mesh: (468, 2 or 3) points in the target crop, pixels.
        size: side of both crops.
        step: of the samples.
    """
    raster = mesh_raster(target_mesh, size, step)
    return _samples([_with_border(source_mesh, size)], raster, size)


def dense_map(
    source_mesh: NDArray[np.floating],
    target_mesh: NDArray[np.floating],
    size: int = CROP_SIZE,
    step: int = MAP_STEP,
) -> NDArray[np.float32]:
    """`coarse_map` at every pixel: (2, size, size), bilinear between the samples."""
    coarse = coarse_map(source_mesh, target_mesh, size, step)
    return np.stack([dense(plane, step, (size, size)) for plane in coarse])


def visibility(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """How much of its frontal area each point's surroundings keep in a crop's mesh (468, 2 or 3).

    Returns (468,): about 1 seen from the front, 0 edge-on, negative where the mesh folds away from
    the camera.
    """
    triangles = face_triangles()
    areas = []
    for points in (np.asarray(mesh[:, :2], np.float32), canonical_crop_mesh()):
        a, b, c = (points[triangles[:, k]] for k in range(3))
        areas.append(
            (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        )
    seen, whole = (np.bincount(triangles.ravel(), np.repeat(x, 3), POINT_COUNT) for x in areas)
    return np.asarray(seen / np.maximum(whole, 1e-3), np.float32)


def hidden_weight(source_mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Per point 0..1: 1 where the source does not show the point but shows its mirror image
    well.
    """
    seen = visibility(source_mesh)
    hidden = np.clip((HIDDEN_BELOW - seen) / HIDDEN_SOFTNESS, 0, 1)
    better = np.clip((seen[MIRROR] - seen - HIDDEN_SOFTNESS) / HIDDEN_SOFTNESS, 0, 1)
    return np.asarray(hidden * better, np.float32)


def _sample(
    image: NDArray[np.uint8], coarse: NDArray[np.float32], step: int, box: Box
) -> NDArray[np.uint8]:
    """Warp an image (S, S, 3) by the samples (2, cells, cells) of a map; a box of the result."""
    x, y = (dense(plane, step, box.size, (box.left, box.top)) for plane in coarse)
    return np.asarray(
        cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def mesh_warp(
    source_crop: NDArray[np.uint8],
    source_mesh: NDArray[np.floating],
    target_mesh: NDArray[np.floating],
    hidden: NDArray[np.float32] | None = None,
    gain: NDArray[np.float32] | None = None,
    raster: MeshRaster | None = None,
    box: Box | None = None,
    mirror_gain: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """Move a source crop (S, S, 3) uint8 so that its mesh (468, 2) falls on the target's.

    What a turned source face hides on its far side is taken from its near side, mirrored.

    Args:
        source_crop: RGB.
        source_mesh: (468, 2 or 3) in its pixels.
        target_mesh: (468, 2 or 3) in pixels of the result.
        hidden: (468,) `hidden_weight` of the source, if it is known.
        gain: (468, 3) multiplies the colours at the points of the mesh and smoothly in between.
        raster: `mesh_raster` of the target's mesh, if it is known.
        box: the part of the result that is wanted; None is all of it.
        mirror_gain: (468, 3) multiplies the mirror image, as ``gain`` does the whole.

    Returns:
        The part (h, w, 3) uint8, else (S, S, 3).
    """
    size = source_crop.shape[0]
    box = box or Box(0, size, 0, size)
    if hidden is None:
        hidden = hidden_weight(source_mesh)
    values = [_with_border(source_mesh, size)]
    turned = bool(hidden.max() > LEAST_HIDDEN)
    if turned:
        values.append(_with_border(source_mesh[MIRROR], size))
        if mirror_gain is not None:
            values.append(_gain_with_border(mirror_gain, size))
    if gain is not None:
        values.append(_gain_with_border(gain, size))
    raster = raster or mesh_raster(target_mesh, size)
    coarse, step = _samples(values, raster, size), raster.step
    warped = _sample(source_crop, coarse[:2], step, box)
    if turned:
        other = _sample(source_crop, coarse[2:4], step, box)
        if mirror_gain is not None:
            other = _multiplied(other, coarse[4:7], step, size, box)
        share = _smooth(_far_side(hidden, raster, size), HIDDEN_BLUR * size, step, box)
        warped = np.asarray(cv2.blendLinear(other, warped, share, 1 - share), np.uint8)
    return warped if gain is None else _multiplied(warped, coarse[-3:], step, size, box)


def _far_side(hidden: NDArray[np.float32], raster: MeshRaster, size: int) -> NDArray[np.float32]:
    """How far the far side is hidden, (cells, cells) in 0..1, at the samples of a map.

    Points of the middle line belong to both sides: in each triangle they are hidden as far as its
    other points, or a strip of the far side would be left along the nose. Both sides meet there, so
    that no seam is seen.
    """
    cells = grid_cells(size, raster.step)
    border = np.zeros(len(border_points(size)), np.float32)
    corners = np.concatenate([hidden, border])[raster.corners]
    middle = np.concatenate([MIRROR == np.arange(POINT_COUNT), border > 0])[raster.corners]
    corners = np.where(middle, corners.max(axis=0), corners)
    coarse = np.zeros(cells * cells, np.float32)
    coarse[raster.sample] = (corners * raster.weights).sum(axis=0)
    return coarse.reshape(cells, cells)


def _gain_with_border(gain: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """A gain (468, 3), and its mean at the points of the fixed frame."""
    around = np.broadcast_to(gain.mean(axis=0), (len(border_points(size)), 3))
    return np.concatenate([gain, around]).astype(np.float32)


def _multiplied(
    picture: NDArray[np.uint8], gain: NDArray[np.float32], step: int, size: int, box: Box
) -> NDArray[np.uint8]:
    """A box of a picture times a gain (3, cells, cells) at the samples of a map."""
    # Four channels are interpolated faster than three.
    layers = cv2.merge([*gain, gain[-1]])
    smooth = cv2.cvtColor(_smooth(layers, GAIN_BLUR * size, step, box), cv2.COLOR_RGBA2RGB)
    return np.asarray(cv2.multiply(picture, smooth, dtype=cv2.CV_8U), np.uint8)


def _smooth(coarse: NDArray[np.float32], sigma: float, step: int, box: Box) -> NDArray[np.float32]:
    """A box of what `dense` makes, blurred with a standard deviation of ``sigma`` pixels while it
    is small.
    """
    blurred = np.asarray(cv2.GaussianBlur(coarse, (0, 0), sigma / step), np.float32)
    return dense(blurred, step, box.size, (box.left, box.top))


def spread(
    values: NDArray[np.floating], raster: MeshRaster, size: int = CROP_SIZE
) -> NDArray[np.float32]:
    """Interpolate values (468,) at the points of a mesh over its crop, by its `mesh_raster`:
    (size, size), falling to 0 from the outline to the crop's border.
    """
    border = np.zeros((len(border_points(size)), 1), np.float32)
    columns = np.concatenate([np.asarray(values, np.float32)[:, None], border])
    coarse = _samples([columns], raster, size)
    return dense(coarse[0], raster.step, (size, size))


def warp_quality(source_mesh: NDArray[np.floating], target_mesh: NDArray[np.floating]) -> float:
    """Share, 0..1, of the visible target face whose texture the source shows directly and without
    great stretch.

    Pairs below about 0.8 (very different poses) make poor composites.
    """
    source, target = visibility(source_mesh), visibility(target_mesh)
    weight = np.clip(target, 0, None)
    good = source > MAXIMUM_STRETCH * np.maximum(target, 1)
    return float((weight * good).sum() / max(float(weight.sum()), 1e-6))


def polygon_mask(points: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """Filled polygon (size, size) of 0 or 255."""
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillPoly(
        canvas, [np.round(points[:, :2] * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4
    )
    return canvas


def skin_weight(mesh: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Skin inside the face's outline, without eyes and mouth; (size, size) of 0 or 1."""
    mask = polygon_mask(mesh[FACE_OVAL], size)
    for ring in (LEFT_EYE, RIGHT_EYE, OUTER_LIPS):
        cv2.fillPoly(mask, [np.round(mesh[ring, :2]).astype(np.int32)], (0,))
    return np.asarray(mask > 127, np.float32)


def strange_colours(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """How far brightness and colour are from the cheeks' skin, (S, S), 1 at their limits
    (`SKIN_LIGHT`, `SKIN_COLOUR`); 0 everywhere where no cheek is seen.

    Args:
        picture: (S, S, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.
    """
    found = _strange(picture, mesh)
    return np.asarray(
        cv2.resize(found, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32
    )


def _strange(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """`strange_colours` of a picture made smaller by `SKIN_STEP`."""
    size = picture.shape[0] // SKIN_STEP
    small = np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), SKIN_SIGMA * size), np.uint8)
    cheeks = np.zeros((size, size), np.uint8)
    for ring in CHEEKS:
        points = np.round(mesh[ring, :2] / SKIN_STEP).astype(np.int32)
        cv2.fillConvexPoly(cheeks, points, (255,))
    skin = cheeks > 127
    if not skin.any():
        return np.zeros((size, size), np.float32)
    brightness = luma(small)
    strange = np.abs(np.log2(brightness / np.median(brightness[skin]))) / SKIN_LIGHT
    for channel in cv2.split(small):
        share = np.asarray(channel, np.float32) / brightness
        strange = np.maximum(strange, np.abs(share - np.median(share[skin])) / SKIN_COLOUR)
    return np.asarray(strange, np.float32)


def bare_skin(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where forehead and temples show skin rather than hair, hats or hands; (S, S) in 0..1, 1
    everywhere below.

    What is much darker or lighter than the cheeks, or of another colour, does not count as skin.
    Brows, eyes and the lower face are left alone: there darker things belong to the face.

    Args:
        picture: (S, S, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.
    """
    size = picture.shape[0] // SKIN_STEP
    strange = _strange(picture, mesh)
    mesh = mesh[:, :2] / SKIN_STEP
    zone = np.zeros((size, size), np.uint8)
    cv2.fillPoly(zone, [cv2.convexHull(np.round(mesh).astype(np.int32))], (255,))
    for part in (LOWER_FACE, MIDDLE_FACE):
        cv2.fillPoly(zone, [cv2.convexHull(np.round(mesh[part]).astype(np.int32))], (0,))
    strange = np.clip(STRANGE_SLOPE * (strange - 1), 0, 1) * (zone > 0)
    covered = cv2.GaussianBlur(strange.astype(np.float32), (0, 0), SKIN_SIGMA * size)
    bare = np.clip(1 - covered / COVERED_SHARE, 0, 1)
    return np.asarray(
        cv2.resize(bare, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32
    )


def source_quality(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> float:
    """How well a face (S, S, 3) uint8 serves as a source, 0..1: its forehead bare, its light even.

    Hair across the face, hats and hard shadows would be carried over as if they were features.
    """
    size = picture.shape[0]
    skin = skin_weight(mesh, size)
    bare = float((bare_skin(picture, mesh) * skin).sum() / max(float(skin.sum()), 1.0))
    small = (size // 8, size // 8)
    weight = np.asarray(cv2.resize(skin, small, interpolation=cv2.INTER_AREA), np.float32)
    stops = np.log2(
        luma(np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.uint8))
    )
    mean = (stops * weight).sum() / max(float(weight.sum()), 1e-6)
    spread = float(np.sqrt((weight * (stops - mean) ** 2).sum() / max(float(weight.sum()), 1e-6)))
    return float(np.clip(bare, 0, 1)) * float(
        np.clip((HARD_LIGHT - spread) / (HARD_LIGHT - EVEN_LIGHT), 0, 1)
    )
