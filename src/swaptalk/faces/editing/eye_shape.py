"""An eye in its own axes: lids, iris, and how far it is open.

u runs from the outer corner (-1) to the inner one (1), v downwards, in half widths of the eye. In
these axes one eye is the other's mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import EYE_RINGS

#: Places of the lids in a ring: outer corner, upper lid, inner corner; and outer corner, lower lid,
#: inner corner.
UPPER_LID, LOWER_LID = np.arange(0, 9), np.array([0, *range(15, 7, -1)])
#: Points of an eye's lids; those of the iris follow.
LID_POINTS = 16
#: Pixels around the lids that belong to the box of an opening.
_BORDER = 3
#: Blur of an opening's edge, crop pixels (standard deviation).
_EDGE_SIGMA = 0.8
#: An eye that is seen at less than this share of the other's width gives way to the other,
#: mirrored: it lies on the far side of a turned head.
_FAR_SIDE = 0.75


@dataclass(frozen=True)
class EyeAxes:
    """Axes of an eye in a picture: ``origin`` (2,), ``across`` (2,) to the inner corner and
    ``down`` (2,), both half widths of the eye long; ``down`` as if the head looked at the camera.
    """

    origin: NDArray[np.float32]
    across: NDArray[np.float32]
    down: NDArray[np.float32]

    @classmethod
    def of(cls, corners: NDArray[np.floating], depth: float) -> EyeAxes:
        """Axes of an eye with these corners (2, 2), outer and inner; ``depth`` is the difference of
        their distances from the camera, in pixels too.
        """
        across = (corners[1] - corners[0]) / 2
        half = max(float(np.hypot(*across)), 1e-3)
        whole = float(np.hypot(half, depth / 2))
        down = np.array([-across[1], across[0]]) * (whole / half)
        down *= np.sign(down[1]) or 1.0
        return cls(
            ((corners[0] + corners[1]) / 2).astype(np.float32),
            across.astype(np.float32),
            down.astype(np.float32),
        )

    def local(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Coordinates u, v (N, 2) of points (N, 2) of the picture."""
        basis = np.stack([self.across, self.down], axis=1)
        basis /= (basis**2).sum(axis=0)  # the axes are perpendicular
        return np.asarray((points - self.origin) @ basis, np.float32)

    def place(self, u: NDArray[np.floating], v: NDArray[np.floating]) -> NDArray[np.float32]:
        """Positions (..., 2) in the picture of coordinates u, v."""
        return np.asarray(
            self.origin + u[..., None] * self.across + v[..., None] * self.down, np.float32
        )


@dataclass(frozen=True)
class Eye:
    """An eye in its own axes: lids (16, 2), middle (2,) and radius of the iris."""

    axes: EyeAxes
    lids: NDArray[np.float32]
    iris: NDArray[np.float32]
    radius: float

    @classmethod
    def of(cls, mesh: NDArray[np.floating], points: NDArray[np.floating], eye: int) -> Eye:
        """Of a mesh (468, 3) and the points (21, 2) of one eye, pixels; ``eye`` is 0 for the right
        one.
        """
        ring = EYE_RINGS[eye]
        depth = float(mesh[ring[8], 2] - mesh[ring[0], 2])
        axes = EyeAxes.of(points[[0, 8]], depth)
        local = axes.local(points)
        edge = local[LID_POINTS + 1 :]
        radius = float(np.abs(edge[[1, 3], 1] - edge[[1, 3], 1].mean()).mean())
        return cls(axes, local[:LID_POINTS], local[LID_POINTS], radius)

    def lid(self, places: NDArray[np.intp], u: NDArray[np.floating]) -> NDArray[np.float32]:
        """Height v of a lid at u."""
        knots = self.lids[places]
        order = np.argsort(knots[:, 0])
        return np.asarray(np.interp(u, knots[order, 0], knots[order, 1]), np.float32)

    @property
    def opening(self) -> float:
        """Largest distance of the lids."""
        return float((self.lids[LOWER_LID[2:7], 1] - self.lids[UPPER_LID[2:7], 1]).max())


def eye_pair(mesh: NDArray[np.floating], eyes: NDArray[np.floating]) -> tuple[Eye, Eye]:
    """The right and the left eye of a mesh (468, 3) and `measure_eyes` (2, 21, 2)."""
    return Eye.of(mesh, eyes[0], 0), Eye.of(mesh, eyes[1], 1)


def visible_pair(eyes: tuple[Eye, Eye]) -> tuple[Eye, Eye]:
    """The eyes to take texture from: the one on the far side of a turned head gives way to the
    other.
    """
    right, left = (float(np.hypot(*eye.axes.across)) for eye in eyes)
    if right < _FAR_SIDE * left:
        return eyes[1], eyes[1]
    return (eyes[0], eyes[0]) if left < _FAR_SIDE * right else eyes


def eye_opening(
    size: int, points: NDArray[np.floating]
) -> tuple[tuple[slice, slice], NDArray[np.uint8]]:
    """Where an eye is open.

    Args:
        size: side of the picture.
        points: lids and iris (21, 2) of one eye, see `measure_eyes`.

    Returns:
        Rows and columns of a box around the lids, and the opening there, 0..255; empty where the
        eye lies outside of the picture.
    """
    lids = points[:LID_POINTS]
    low = np.clip(np.floor(lids.min(axis=0)).astype(int) - _BORDER, 0, size)
    high = np.clip(np.ceil(lids.max(axis=0)).astype(int) + _BORDER + 1, low, size)
    opening = np.zeros((high - low)[::-1], np.uint8)
    if opening.size:
        outline = np.round((lids - low) * 16).astype(np.int32)
        cv2.fillPoly(opening, [outline], (255,), cv2.LINE_AA, shift=4)
    return (slice(low[1], high[1]), slice(low[0], high[0])), opening


def opening_share(opening: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Share (h, w, 1) of the eyeball in each pixel of an `eye_opening`, with a soft edge."""
    soft = cv2.GaussianBlur(opening, (0, 0), _EDGE_SIGMA)
    return np.asarray(soft, np.float32)[..., None] / np.float32(255)
