"""Which triangle of a mesh covers each sample of a grid, and with which barycentric weights,
without a loop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import POINT_COUNT


def grid_cells(size: int, step: int) -> int:
    """Samples a side, one of them at or beyond the last pixel, so that interpolation never
    extrapolates.
    """
    return (size - 1 + step - 1) // step + 1


def rasterise(
    vertices: NDArray[np.float32],
    triangles: NDArray[np.int32],
    size: int,
    step: int,
    depth: NDArray[np.floating] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Every sample of the grid 0, step, 2 step... that lies in a triangle.

    Returns the flat sample index (K,), the triangle (K,) and the barycentric weights (K, 3). A
    sample may appear several times where the mesh folds; the nearest
    triangle of the face comes last: by ``depth`` (468,) if given, else the one that looks most at
    the camera.
    """
    cells = grid_cells(size, step)
    corner = vertices[triangles] / step  # (T, 3, 2)
    a, b, c = corner[:, 0], corner[:, 1], corner[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.clip(np.ceil(corner.min(axis=1) - 1e-4), 0, cells).astype(np.intp)
    high = np.clip(np.floor(corner.max(axis=1) + 1e-4) + 1, 0, cells).astype(np.intp)
    extent = np.maximum(high - low, 0)
    count = extent[:, 0] * extent[:, 1]
    count[np.abs(area) < 1e-4] = 0
    # Triangles to the fixed frame lie behind the face.
    frame = (triangles >= POINT_COUNT).any(axis=1)
    if depth is None:
        order = np.lexsort((area, ~frame))
    else:
        nearness = np.zeros(len(triangles))
        nearness[~frame] = -depth[triangles[~frame]].mean(axis=1)
        order = np.lexsort((nearness, ~frame))
    order = order[count[order] > 0]
    count = count[order]
    # Barycentric weights are affine in (x, y): w1 = p1 x + q1 y + r1, likewise w2.
    a, b, c, divisor = a[order], b[order], c[order], area[order]
    p1, q1 = (c[:, 1] - a[:, 1]) / divisor, (a[:, 0] - c[:, 0]) / divisor
    p2, q2 = (a[:, 1] - b[:, 1]) / divisor, (b[:, 0] - a[:, 0]) / divisor
    affine = np.stack(
        [p1, q1, -(p1 * a[:, 0] + q1 * a[:, 1]), p2, q2, -(p2 * a[:, 0] + q2 * a[:, 1])], axis=1
    ).astype(np.float32)
    position = np.repeat(np.arange(order.size), count)
    rank = np.arange(position.size) - np.repeat(np.cumsum(count) - count, count)
    row = rank // extent[order, 0][position]
    x = rank - row * extent[order, 0][position] + low[order, 0][position]
    y = row + low[order, 1][position]
    plane = affine[position]
    w1 = plane[:, 0] * x + plane[:, 1] * y + plane[:, 2]
    w2 = plane[:, 3] * x + plane[:, 4] * y + plane[:, 5]
    w0 = 1 - w1 - w2
    inside = np.flatnonzero(np.minimum(np.minimum(w0, w1), w2) >= -1e-4)
    weights = np.stack([w0[inside], w1[inside], w2[inside]], axis=1).astype(np.float32)
    return (y * cells + x)[inside], order[position[inside]], weights
