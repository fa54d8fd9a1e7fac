"""Measure in a picture how far the eyes are closed: the mesh hardly follows a blink."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.topology import LEFT_EYE, RIGHT_EYE

#: Share of the open eye's contrast at which an eye counts as closing, and from which on as closed.
CLOSING, CLOSED = 0.9, 0.55


def eye_contrast(crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Measure the contrast between white and iris within the rings of both eyes.

    Args:
        crop: aligned crop (S, S, 3) uint8 RGB.
        mesh: (468, 2 or 3) in its pixels.

    Returns:
        (2,) right and left eye of the subject: range of the middle four fifths of the luma over its
        mean, 1 to 2 for open eyes, half of that for the same eyes closed.
    """
    found = []
    for ring in (RIGHT_EYE, LEFT_EYE):
        points = np.round(mesh[ring, :2]).astype(np.int32)
        low = np.clip(points.min(axis=0), 0, np.array(crop.shape[1::-1]) - 1)
        high = np.clip(points.max(axis=0) + 1, low + 1, np.array(crop.shape[1::-1]))
        part = np.ascontiguousarray(crop[low[1] : high[1], low[0] : high[0]])
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.fillPoly(mask, [points - low], (1,))
        luma = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)[mask > 0].astype(np.float32)
        if not luma.size:
            found.append(0.0)
            continue
        dark, bright = np.quantile(luma, (0.1, 0.9))
        found.append(float(bright - dark) / max(float(luma.mean()), 1.0))
    return np.array(found, np.float32)


def closedness(contrast: NDArray[np.floating], open_contrast: NDArray[np.floating]) -> float:
    """Estimate how far the eyes are closed, 0..1.

    Eyes blink together: the one that seems more closed speaks for both.

    Args:
        contrast: `eye_contrast` (2,).
        open_contrast: that of the same eyes when open.
    """
    share = float((contrast / np.maximum(open_contrast, 1e-3)).min())
    return min(1.0, max(0.0, (CLOSING - share) / (CLOSING - CLOSED)))
