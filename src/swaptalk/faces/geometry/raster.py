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
    corner = (vertices / step).T.take(triangles.T, axis=1)  # (2, 3, T)
    low = np.maximum(np.ceil(corner.min(axis=1) - 1e-4), 0).astype(np.intp)
    high = np.minimum(np.floor(corner.max(axis=1) + 1e-4) + 1, cells).astype(np.intp)
    (ax, bx, cx), (ay, by, cy) = corner
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    width, height = np.maximum(high - low, 0)
    count = width * height
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
    # Every sample of each triangle's box, triangle by triangle.
    count = count[order]
    owner = np.repeat(order, count)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
    row = rank // width[owner]
    x = rank - row * width[owner] + low[0][owner]
    y = row + low[1][owner]
    # Barycentric weights are affine in (x, y): w1 = p1 x + q1 y + r1, likewise w2.
    ax, ay, bx, by, cx, cy, area = (one[order] for one in (ax, ay, bx, by, cx, cy, area))
    w1, w2 = (
        np.repeat(p, count) * x + np.repeat(q, count) * y - np.repeat(p * ax + q * ay, count)
        for p, q in (((cy - ay) / area, (ax - cx) / area), ((ay - by) / area, (bx - ax) / area))
    )
    w0 = 1 - w1 - w2
    inside = np.flatnonzero((w0 >= -1e-4) & (w1 >= -1e-4) & (w2 >= -1e-4))
    weights = np.stack([w0[inside], w1[inside], w2[inside]], axis=1).astype(np.float32)
    return (y * cells + x)[inside], owner[inside], weights
