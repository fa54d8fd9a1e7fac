"""Beards to draw on faces that have none."""

from __future__ import annotations

import cv2
import numpy as np

from swaptalk.faces.editing.beard import beard_zone
from swaptalk.faces.geometry.topology import OUTER_LIPS


def bearded(crop: np.ndarray, mesh: np.ndarray, darkness: float = 1.1) -> np.ndarray:
    """A face with hairs drawn where beards grow, darker than its skin by this logarithm."""
    hairs = np.random.default_rng(0).normal(1, 0.5, (256, 256)).astype(np.float32)
    lips = np.zeros((256, 256), np.float32)
    cv2.fillPoly(lips, [np.round(mesh[OUTER_LIPS, :2]).astype(np.int32)], 1)
    dark = darkness * beard_zone(mesh) * (1 - lips) * cv2.GaussianBlur(hairs, (0, 0), 0.7)
    return np.asarray(np.clip(crop * np.exp(-dark)[..., None], 0, 255), np.uint8)
