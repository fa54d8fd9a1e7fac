"""Folds of a smile go where the face does not smile, and only there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.calming import plain_colours
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.smile_folds import fold_share, smooth_folds
from swaptalk.faces.geometry.align import estimate_alignment
from swaptalk.faces.geometry.topology import CANONICAL_MESH

#: Points of the fold beside the mouth, from the wing of the nose down.
FOLD = (203, 206, 216, 212)
SKIN = (180, 140, 120)


@pytest.fixture(scope="module")
def mesh() -> np.ndarray:
    return estimate_alignment(CANONICAL_MESH[:, :2]).to_crop(CANONICAL_MESH)


def folded(mesh: np.ndarray, colour: tuple[int, int, int], width: int) -> np.ndarray:
    face = np.full((256, 256, 3), SKIN, np.uint8)
    points = np.round(mesh[list(FOLD), :2]).astype(np.int32)
    cv2.polylines(face, [points], False, colour, width)
    return np.asarray(cv2.GaussianBlur(face, (0, 0), 1), np.uint8)


def smoothed(face: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    return smooth_folds(face, plain_colours(face, mesh), mesh)


def depth(face: np.ndarray, mesh: np.ndarray) -> float:
    x, y = np.round(mesh[206, :2]).astype(int)
    return float(np.log(luma(face)[0, 0] / luma(face)[y, x]))


def smiling(mesh: np.ndarray, wider: float) -> np.ndarray:
    """The mesh with the corners of its mouth further apart by this many eye distances."""
    moved = mesh.copy()
    apart = wider / 2 * np.linalg.norm(mesh[33] - mesh[263])
    moved[61, 0] -= apart
    moved[291, 0] += apart
    return moved


def test_folds_go_as_far_as_the_mouth_gets_narrower(mesh: np.ndarray) -> None:
    assert fold_share(mesh, mesh) == fold_share(mesh, smiling(mesh, 0.2)) == 0
    assert 0 < fold_share(smiling(mesh, 0.08), mesh) < 1
    assert fold_share(smiling(mesh, 0.15), mesh) == 1
    assert fold_share(smiling(mesh, 0.15), smiling(mesh, 0.15)) == 0


@pytest.mark.parametrize(("colour", "width"), [((120, 80, 60), 3), ((40, 20, 15), 2)])
def test_folds_and_creases_are_smoothed(
    mesh: np.ndarray, colour: tuple[int, int, int], width: int
) -> None:
    face = folded(mesh, colour, width)
    made = smoothed(face, mesh)
    assert depth(face, mesh) > 0.3
    assert abs(depth(made, mesh)) < 0.3 * depth(face, mesh)
    x, y = np.round(mesh[206, :2]).astype(int)
    red = float(made[y, x, 0] / made[y, x, 1])
    assert red == pytest.approx(SKIN[0] / SKIN[1], rel=0.08)


def test_the_rest_of_the_face_stays(mesh: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    face = np.clip(rng.normal(SKIN, 20, (256, 256, 3)), 0, 255).astype(np.uint8)
    made = smoothed(face, mesh)
    forehead = slice(30, 70), slice(90, 160)
    np.testing.assert_array_equal(made[forehead], face[forehead])
    np.testing.assert_array_equal(made[:, :30], face[:, :30])


def test_beards_stay_dark(mesh: np.ndarray) -> None:
    face = np.full((256, 256, 3), SKIN, np.uint8)
    face[round(mesh[206, 1]) :] = (40, 30, 25)
    made = smoothed(face, mesh)
    x, y = np.round(mesh[212, :2]).astype(int)
    assert luma(made)[y, x] < 1.3 * luma(face)[y, x]
