"""Paint lips over what a photo shows between them.

Between a composite's lips the target's mouth stays, but never to the pixel: where an open mouth is
narrowed or closed, teeth and the darkness of its corners would lie on the lips and beside them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.mask import disc
from swaptalk.faces.editing.mesh_warp import polygon_mask
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import INNER_LIPS, mouth_openness

#: Mouths that are less open, in mouth widths, show nothing between their lips.
_OPEN = 0.03
#: So many crop pixels of the lips are painted over, too: the mesh is not sure of their edge, and in
#: the corners of a smile it ends before the mouth does.
_EDGE = 3
#: The lips are carried on from so far away, crop pixels.
_REACH = 3


def bare_lips(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A crop whose open mouth is painted over from its lips (Telea 2004); itself where the mouth is
    closed.

    Args:
        picture: (256, 256, 3) uint8 RGB.
        mesh: (468, 2 or 3) in its pixels.
    """
    if mouth_openness(mesh) < _OPEN:
        return picture
    between = polygon_mask(np.asarray(mesh[INNER_LIPS, :2], np.float32), CROP_SIZE)
    hidden = np.asarray(cv2.dilate(between, disc(_EDGE)) > 127, np.uint8)
    return np.asarray(cv2.inpaint(picture, hidden, _REACH, cv2.INPAINT_TELEA), np.uint8)
