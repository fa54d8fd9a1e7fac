"""Sources turned to another pose: without them pose is copied from the source.

The source of a mesh-warp proxy looks where its target looks, because others make poor proxies. A swap that learned from
such pairs alone took half of the difference in pitch, and a third of that in yaw, from sources that look elsewhere.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.align import estimate_alignment
from swaptalk.faces.mesh_warp import dense_map, warp_quality
from swaptalk.faces.pose import MAXIMUM_PITCH, MAXIMUM_YAW, Pose, estimate_pose, rotate_mesh
from swaptalk.faces.topology import MIRROR

#: Largest turn in degrees: beyond it half of what would be seen is not in the picture.
YAW, PITCH, ROLL = 25.0, 18.0, 4.0
#: A turn that shows less of the face's own texture than this is halved, and given up after this many halvings.
LEAST_QUALITY, HALVINGS = 0.7, 3


def turned_mesh(mesh: NDArray[np.floating], turn: Pose) -> NDArray[np.float32]:
    """The mesh (468, 3) of an aligned crop after its head turned by ``turn``, aligned again; the same shape."""
    turned = rotate_mesh(mesh, turn)
    return estimate_alignment(turned[:, :2]).to_crop(turned)


def repose(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The face of an aligned crop in another pose, mirrored half of the time.

    Args:
        picture: (S, S, 3) uint8 RGB aligned crop.
        mesh: (468, 3) in its pixels.
        rng: draws the turn.

    Returns:
        (S, S, 3) uint8 RGB aligned crop; only mirrored, or unchanged, where no turn within the limits shows the face.
    """
    mesh = np.asarray(mesh, np.float32)
    if rng.random() < 0.5:
        picture, mesh = mirrored(picture, mesh)
    yaw, pitch, roll = rng.uniform(-1, 1, 3) * (YAW, PITCH, ROLL)
    for _ in range(HALVINGS):
        wanted = turned_mesh(mesh, Pose(yaw, pitch, roll))
        pose = estimate_pose(wanted)
        seen = abs(pose.yaw) <= MAXIMUM_YAW and abs(pose.pitch) <= MAXIMUM_PITCH
        if seen and warp_quality(mesh, wanted) >= LEAST_QUALITY:
            # Nothing is taken from the mirror image: a face must not appear twice beside one that is turned already.
            x, y = cv2.split(dense_map(mesh, wanted, picture.shape[0]))
            return np.asarray(cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.uint8)
        yaw, pitch, roll = yaw / 2, pitch / 2, roll / 2
    return picture


def mirrored(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A crop (S, S, 3) and its mesh (468, 3) seen in a mirror."""
    points = np.array(mesh[MIRROR], np.float32)
    points[:, 0] = picture.shape[1] - 1 - points[:, 0]
    return np.ascontiguousarray(picture[:, ::-1]), points
