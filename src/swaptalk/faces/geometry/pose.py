"""Head pose in degrees from the mesh, and the range of poses that the networks handle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import CANONICAL_MESH

#: Points that speech and glances do not move: eye corners, nose, forehead, temples and cheekbones.
RIGID_POINTS = np.array([
    33, 263, 133, 362, 168, 6, 197, 195, 5, 4, 98, 327, 64, 294, 2, 10, 151, 9, 8, 127, 356,
    234, 454, 93, 323, 21, 251, 54, 284, 67, 297,
], np.intp)  # fmt: skip
#: Beyond this yaw the far eye passes the nose (photographs sorted by measured yaw show it from 45
#: to 50): half of the face's codes would be invented, and the mesh follows its own average rather
#: than the picture.
MAXIMUM_YAW = 45.0
#: Beyond this pitch the mouth is foreshortened to less than 0.8 of its height, or the chin hides
#: it.
MAXIMUM_PITCH = 35.0
#: A face that is turned or tilted further by less than this, for a moment between frames in which
#: it is usable, is used all the same: a real face that flashes up is seen more than a poor new one.
PASSING_TURN = 8.0
#: Smallest usable distance of the outer eye corners in image pixels (a face about 55 px high):
#: below it a crop pixel stands for less than a sixth of an image pixel, and lips are a few pixels
#: that the mesh cannot tell apart.
MINIMUM_EYE_DISTANCE = 22.0
#: Share of the mesh that may lie outside the picture: the forehead may be cut off, the mouth may
#: not.
MAXIMUM_OUTSIDE = 0.25
#: Reasons that a passing turn has.
TURNED, TILTED = "turned too far sideways", "tilted too far up or down"


@dataclass(frozen=True)
class Pose:
    """Head rotation in degrees, zero for a face that looks into the camera.

    ``yaw`` is positive when the nose points to the picture's right, ``pitch`` when it points up,
    ``roll`` when the head leans clockwise on the screen. The rotation is roll after yaw after
    pitch.
    """

    yaw: float
    pitch: float
    roll: float

    @property
    def vector(self) -> NDArray[np.float32]:
        """(3,) yaw, pitch, roll."""
        return np.array([self.yaw, self.pitch, self.roll], np.float32)

    @property
    def within_range(self) -> bool:
        """Whether the networks handle this pose."""
        return abs(self.yaw) <= MAXIMUM_YAW and abs(self.pitch) <= MAXIMUM_PITCH


_CENTRED = CANONICAL_MESH[RIGID_POINTS] - CANONICAL_MESH[RIGID_POINTS].mean(axis=0)


def rotation_matrix(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rotation (3, 3) from the canonical shape to a mesh (468, 3) with depth on the scale of x and
    y (Kabsch 1976).
    """
    seen = np.asarray(points[RIGID_POINTS], np.float64)
    u, _, vt = np.linalg.svd(_CENTRED.T @ (seen - seen.mean(axis=0)))
    sign = np.sign(np.linalg.det(u @ vt))
    return np.asarray((u @ np.diag([1.0, 1.0, sign]) @ vt).T, np.float64)


def estimate_pose(points: NDArray[np.floating]) -> Pose:
    """Head pose of a mesh (468, 3): x right, y down, z away from the camera, all on one scale."""
    r = rotation_matrix(points)
    return Pose(
        yaw=float(np.degrees(np.arcsin(np.clip(r[2, 0], -1, 1)))),
        pitch=float(-np.degrees(np.arctan2(r[2, 1], r[2, 2]))),
        roll=float(np.degrees(np.arctan2(r[1, 0], r[0, 0]))),
    )


def rotate_mesh(points: NDArray[np.floating], pose: Pose) -> NDArray[np.float64]:
    """Turn a mesh (N, 3) about its mean by ``pose``."""
    yaw, pitch, roll = np.radians([-pose.yaw, -pose.pitch, pose.roll])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_z = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    middle = points.mean(axis=0)
    return np.asarray((points - middle) @ (about_z @ about_y @ about_x).T + middle)


def eye_distance(points: NDArray[np.floating]) -> float:
    """Distance of the outer eye corners of a mesh (468, 3) in 3-D, so that a turned head does not
    look smaller.
    """
    return float(np.linalg.norm(points[33] - points[263]))


def passes(pose: NDArray[np.floating]) -> bool:
    """Whether a pose (yaw, pitch, roll in degrees) beyond the limits may be used for a moment."""
    yaw, pitch = abs(float(pose[0])), abs(float(pose[1]))
    return yaw < MAXIMUM_YAW + PASSING_TURN and pitch < MAXIMUM_PITCH + PASSING_TURN


def unusable_reason(points: NDArray[np.floating], pose: Pose, width: int, height: int) -> str:
    """Why the networks should leave this face alone; empty if it is usable.

    Args:
        points: mesh (468, 3) in image pixels.
        pose: its pose.
        width: of the image in pixels.
        height: of the image in pixels.
    """
    if eye_distance(points) < MINIMUM_EYE_DISTANCE:
        return "too small"
    if abs(pose.yaw) > MAXIMUM_YAW:
        return TURNED
    if abs(pose.pitch) > MAXIMUM_PITCH:
        return TILTED
    outside = (
        (points[:, 0] < 0)
        | (points[:, 1] < 0)
        | (points[:, 0] > width - 1)
        | (points[:, 1] > height - 1)
    )
    if float(outside.mean()) > MAXIMUM_OUTSIDE:
        return "cut off by the picture's edge"
    return ""
