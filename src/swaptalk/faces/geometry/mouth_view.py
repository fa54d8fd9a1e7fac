"""What a sync network sees of a face: grey pixels around the mouth, at half the size of the aligned
crop.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Height and width of a view.
VIEW_HEIGHT, VIEW_WIDTH = 48, 96
#: Rows and columns of the aligned 256 px crop: from above the nose's base to the chin, from cheek
#: to cheek.
ROWS, COLUMNS = slice(146, 242), slice(32, 224)


def mouth_view(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey view (48, 96) of an aligned crop (256, 256, 3) RGB."""
    grey = cv2.cvtColor(np.ascontiguousarray(crop[ROWS, COLUMNS]), cv2.COLOR_RGB2GRAY)
    return np.asarray(
        cv2.resize(grey, (VIEW_WIDTH, VIEW_HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
    )


def fill_gaps(views: NDArray[np.uint8], known: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Let frames without a face show the last one before, or at the beginning the first.

    Args:
        views: (T, 48, 96).
        known: ascending indices of the frames with a face.

    Raises:
        ValueError: nothing is known.
    """
    if not len(known):
        raise ValueError("no frame shows a face")
    place = np.searchsorted(known, np.arange(len(views)), side="right") - 1
    return np.asarray(views[known[np.maximum(place, 0)]], np.uint8)
