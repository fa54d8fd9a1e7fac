"""Hair and earrings drawn on faces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.data.hair import add_hair
from swaptalk.faces.geometry.topology import FACE_OVAL

from .conftest import mesh

Face = tuple[NDArray[np.uint8], NDArray[np.float32]]


@pytest.fixture(scope="module")
def face() -> Face:
    """An even face and its mesh."""
    return np.full((256, 256, 3), (190, 150, 130), np.uint8), mesh(0)


def _drawn(face: Face, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    other = np.random.default_rng(9).integers(0, 90, (256, 256, 3)).astype(np.uint8)
    return add_hair(*face, (other,), np.random.default_rng(seed))


def test_the_opacity_says_where_the_picture_changed_most(face: Face) -> None:
    covered, beside = [], []
    for seed in range(16):
        picture, opacity = _drawn(face, seed)
        assert picture.shape == face[0].shape and picture.dtype == np.uint8
        assert opacity.shape == (256, 256) and opacity.min() >= 0 and opacity.max() <= 1
        assert (opacity > 0.3).any()
        change = np.abs(picture.astype(int) - face[0]).mean(axis=2)
        covered.append(change[opacity > 0.5].mean())
        beside.append(change[opacity == 0].mean())
    assert np.mean(covered) > 8 * np.mean(beside)


def test_it_hangs_from_above_and_at_the_sides_and_differs(face: Face) -> None:
    oval = face[1][FACE_OVAL, :2]
    chin = int(oval[:, 1].max())
    together = np.mean([_drawn(face, seed)[1] for seed in range(60)], axis=0)
    upper, lower = together[: chin // 2, :].sum(), together[chin // 2 :, :].sum()
    assert upper > 1.2 * lower, "most hair is above"
    middle = slice(118, 138)
    assert together[140:chin, middle].mean() < 0.4 * together[140:chin, :60].mean()
    sizes = [float(_drawn(face, seed)[1].sum()) for seed in range(20)]
    assert max(sizes) > 10 * min(sizes)


def test_the_same_numbers_draw_the_same_hair(face: Face) -> None:
    np.testing.assert_array_equal(_drawn(face, 4)[0], _drawn(face, 4)[0])
