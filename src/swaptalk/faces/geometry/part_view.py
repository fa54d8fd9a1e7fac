"""The square around a mouth or an eye that a landmark network sees, and coordinates in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import EYE_RINGS, LIPS

#: Side of the view in pixels.
VIEW_SIZE = 64
#: Side of the region around the mouth, in distances of the outer eye corners: a wide open mouth and
#: some chin.
REGION_SIDE = 0.9
#: Side of the region around an eye, in the same unit: one and three quarters of an eye's width.
EYE_REGION_SIDE = 0.55
#: Outer eye corners of the mesh.
_EYE_CORNERS = (33, 263)
#: The view is cut this much larger and averaged down, so that large faces do not flicker.
_OVERSAMPLING = 2


def lip_region(points: NDArray[np.floating]) -> CropRegion:
    """The square around the mouth that the network sees, level with the eyes.

    Args:
        points: mesh (468, 3) in pixels; depth counts, so that a turned head's region is no smaller.
    """
    return _region_around(points, LIPS, REGION_SIDE)


def eye_region(points: NDArray[np.floating], eye: int) -> CropRegion:
    """The square around an eye that the network sees, level with both eyes.

    Args:
        points: mesh (468, 3) in pixels.
        eye: 0 for the subject's right eye, 1 for the left one.
    """
    return _region_around(points, EYE_RINGS[eye], EYE_REGION_SIDE)


def _region_around(points: NDArray[np.floating], part: NDArray[np.intp], side: float) -> CropRegion:
    delta = points[_EYE_CORNERS[1]] - points[_EYE_CORNERS[0]]
    return CropRegion(
        points[part, :2].mean(axis=0).astype(np.float32),
        max(float(np.linalg.norm(delta)) * side, 1.0),
        float(np.arctan2(delta[1], delta[0])),
    )


def part_view(image: NDArray[np.uint8], region: CropRegion) -> NDArray[np.uint8]:
    """View (64, 64, 3) of a region of an RGB image (H, W, 3)."""
    size = VIEW_SIZE * _OVERSAMPLING
    cut = cv2.warpAffine(image, region.matrix(size), (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.resize(cut, (VIEW_SIZE, VIEW_SIZE), interpolation=cv2.INTER_AREA), np.uint8
    )


def to_view(points: NDArray[np.floating], region: CropRegion) -> NDArray[np.float32]:
    """Image positions (N, 2) in the region's own unit: 0 in its middle, -1 and 1 at the view's
    edges.
    """
    matrix = region.matrix(VIEW_SIZE)
    pixels = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray((pixels - (VIEW_SIZE - 1) / 2) * (2 / VIEW_SIZE), np.float32)


def from_view(points: NDArray[np.floating], region: CropRegion) -> NDArray[np.float32]:
    """The inverse of `to_view`."""
    inverse = cv2.invertAffineTransform(region.matrix(VIEW_SIZE))
    pixels = points * (VIEW_SIZE / 2) + (VIEW_SIZE - 1) / 2
    return np.asarray(pixels @ inverse[:, :2].T + inverse[:, 2], np.float32)
