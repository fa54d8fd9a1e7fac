"""Glasses drawn on faces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.data.glasses import add_glasses
from swaptalk.faces.geometry.topology import EYE_RINGS

from .conftest import mesh


@pytest.fixture(scope="module")
def face() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """An even face and its mesh."""
    return np.full((256, 256, 3), (190, 150, 130), np.uint8), mesh(0)


def test_the_opacity_says_where_the_picture_changed_most(face) -> None:
    crop, points = face
    near_rim, elsewhere = [], []
    for seed in range(12):
        picture, opacity = add_glasses(crop, points, np.random.default_rng(seed))
        assert picture.shape == crop.shape and picture.dtype == np.uint8
        assert opacity.shape == (256, 256) and 0 <= opacity.min() and opacity.max() <= 1
        assert 100 < (opacity > 0.3).sum() < 9000
        change = np.abs(picture.astype(int) - crop).mean(axis=2)
        near_rim.append(change[opacity > 0.3].mean())
        elsewhere.append(change[opacity == 0].mean())
    assert np.mean(near_rim) > 8 * np.mean(elsewhere)


def test_pairs_sit_around_the_eyes_and_differ(face) -> None:
    crop, points = face
    places = []
    for seed in range(20):
        _, opacity = add_glasses(crop, points, np.random.default_rng(seed))
        rows, columns = np.nonzero(opacity > 0.3)
        places.append((rows.min(), rows.max(), columns.min(), columns.max(), len(rows)))
        for ring in EYE_RINGS:
            x, y = np.round(points[ring, :2].mean(axis=0)).astype(int)
            assert opacity[y, x] < 0.3, "no frame before an iris"
    top, bottom, left, right, size = np.array(places).T
    eyes = points[np.concatenate(EYE_RINGS), :2]
    assert (left < eyes[:, 0].min()).all() and (right > eyes[:, 0].max()).all()
    assert bottom.max() < points[2, 1] + 20 and top.min() > 30
    assert size.max() > 4 * size.min()


def test_the_same_numbers_draw_the_same_pair(face) -> None:
    crop, points = face
    first, again = (add_glasses(crop, points, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
