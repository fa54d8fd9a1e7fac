"""Give a new face the colours of black-and-white, sepia or tinted film."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import LUMA

#: Residuals (grey levels) of a picture's colours as functions of its brightness: at or below the
#: first it is grey, sepia or tinted film, from the second on it is in colour.
FILM_RESIDUAL = (2.0, 4.0)


def match_film(face: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give a face the colours of black-and-white, sepia or tinted film where the target is such a
    picture.

    There every channel is a function of the brightness; the function is fitted to the target and
    applied to the face. Pictures in colour leave the face as it is.

    Args:
        face: (S, S, 3) uint8 RGB.
        target: (S, S, 3) uint8 RGB.
    """
    small = np.asarray(
        cv2.resize(target, (32, 32), interpolation=cv2.INTER_AREA), np.float32
    ).reshape(-1, 3)
    luma = small @ LUMA
    terms = np.stack([np.ones_like(luma), luma, luma**2 / 255], axis=1)
    fit = np.linalg.lstsq(terms.T @ terms + np.eye(3), terms.T @ small, rcond=None)[0].astype(
        np.float32
    )
    residual = float(np.sqrt(((terms @ fit - small) ** 2).mean()))
    share = float(
        np.clip((FILM_RESIDUAL[1] - residual) / (FILM_RESIDUAL[1] - FILM_RESIDUAL[0]), 0, 1)
    )
    if share == 0:
        return face
    # Nothing is brighter than the film's white: beyond it, tints would run into white.
    white = float((np.asarray(target, np.float32) @ LUMA).max())
    levels = np.minimum(np.arange(256, dtype=np.float32), white)
    table = np.stack([np.ones_like(levels), levels, levels**2 / 255], axis=1) @ fit
    grey = cv2.cvtColor(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    tinted = cv2.LUT(grey, np.clip(np.round(table), 0, 255).astype(np.uint8).reshape(1, 256, 3))
    return np.asarray(cv2.addWeighted(tinted, share, face, 1 - share, 0), np.uint8)
