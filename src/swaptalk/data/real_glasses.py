"""Real glasses in pictures: who wears some, by eye, and where their rims are as far as is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.data.exclude import read_rows
from swaptalk.errors import InputError
from swaptalk.faces.editing.eyewear import glasses_zone
from swaptalk.faces.editing.eyewear_network import EyewearNetwork
from swaptalk.faces.editing.face_texture import face_texture_model, from_canonical

#: Real rims are where the teacher is as sure as the first, and may be where it is as sure as the
#: second or where the face is stranger than bare skin.
TEACHER_SURE, TEACHER_UNSURE, PLAIN_SKIN = 0.4, 0.06, 1.0
#: A crop is sharpened for the teacher by so much of what this blur takes (standard deviation).
SHARPENING, SHARPENING_SIGMA = 1.5, 2.0


def read_glasses_labels(path: Path) -> dict[tuple[str, int], bool]:
    """Whether glasses are worn, by name and number of the picture.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    rows = read_rows(path, ("name", "picture", "worn"))
    try:
        return {(row["name"], int(row["picture"])): bool(int(row["worn"])) for row in rows}
    except ValueError as error:
        raise InputError(
            f"not a number: {error}", path=path, remedy="give whole numbers in picture and worn"
        ) from error


def known_rims(
    picture: NDArray[np.uint8], mesh: NDArray[np.float32], teacher: EyewearNetwork
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the rims of real glasses are as far as is known: 1 where the teacher sees them in the
    crop, its mirror image or the crop sharpened, and the weight of each place, (256, 256) both.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.
        teacher: finds most of them.
    """
    soft = cv2.GaussianBlur(picture, (0, 0), SHARPENING_SIGMA)
    sharp = np.asarray(cv2.addWeighted(picture, 1 + SHARPENING, soft, -SHARPENING, 0), np.uint8)
    mirror = teacher(np.ascontiguousarray(picture[:, ::-1]))[:, ::-1]
    sure = np.maximum.reduce([teacher(picture), mirror, teacher(sharp)])
    rims = np.asarray(sure > TEACHER_SURE, np.float32)
    fit = face_texture_model().fit(picture, mesh, np.zeros(picture.shape[:2], np.float32))
    plain = from_canonical(np.asarray(fit.strangeness < PLAIN_SKIN, np.float32), mesh) > 0.5
    outside = glasses_zone(mesh) == 0
    certain = (rims > 0) | ((sure < TEACHER_UNSURE) & (plain | outside))
    return rims, np.asarray(certain, np.float32)
