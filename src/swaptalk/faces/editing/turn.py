"""Turn a face in a picture to another pose: rotate its mesh and warp the picture onto it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.mesh_warp import dense_map, warp_quality
from swaptalk.faces.geometry.align import estimate_alignment
from swaptalk.faces.geometry.pose import Pose, estimate_pose, rotate_mesh

#: A turn that shows less of the face's own texture than this is halved, and given up after this
#: many halvings.
LEAST_QUALITY, HALVINGS = 0.7, 3


def turned_mesh(mesh: NDArray[np.floating], turn: Pose) -> NDArray[np.float32]:
    """The mesh (468, 3) of an aligned crop after its head turned by ``turn``, aligned again; the
    same shape.
    """
    turned = rotate_mesh(mesh, turn)
    return estimate_alignment(turned[:, :2]).to_crop(turned)


def turn_face(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], turn: Pose
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Turn the face of an aligned crop by ``turn``, or by as much of it as the picture can show.

    Args:
        picture: (S, S, 3) uint8 RGB aligned crop.
        mesh: (468, 3) in its pixels.
        turn: degrees by which the head turns from where it points now.

    Returns:
        (S, S, 3) uint8 RGB aligned crop and its mesh (468, 3); as they were where not even an
        eighth of the turn can be shown.
    """
    share = 1.0
    for _ in range(HALVINGS + 1):
        wanted = turned_mesh(mesh, Pose(share * turn.yaw, share * turn.pitch, share * turn.roll))
        if estimate_pose(wanted).within_range and warp_quality(mesh, wanted) >= LEAST_QUALITY:
            # Nothing is taken from the mirror image: a face must not appear twice beside one that
            # is turned already.
            x, y = dense_map(mesh, wanted, picture.shape[0])
            turned = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
            return np.asarray(turned, np.uint8), wanted
        share /= 2
    return picture, np.asarray(mesh, np.float32)
