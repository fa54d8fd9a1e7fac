import numpy as np
import pytest

from swaptalk.data.occluder_kinds import KINDS
from swaptalk.data.occluders import add_occluder

from .conftest import mesh

SIDE = 128


@pytest.fixture(scope="module")
def face():
    """An even face, so that every changed pixel is the occluder's, its edge's or its shadow's."""
    points = (mesh(0)[:, :2] + 0.5) / 2 - 0.5
    return np.full((SIDE, SIDE, 3), (190, 150, 130), np.uint8), points


@pytest.fixture(scope="module")
def textures():
    rng = np.random.default_rng(1)
    return tuple(rng.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(2))


@pytest.mark.parametrize("kind", [draw for draw, _ in KINDS], ids=lambda draw: draw.__name__[1:])
def test_the_label_is_where_something_was_drawn(face, textures, kind, monkeypatch):
    monkeypatch.setattr("swaptalk.data.occluders.KINDS", ((kind, 1.0),))
    picture, points = face
    shares = []
    for seed in range(12):
        covered, alpha = add_occluder(picture, points, textures, np.random.default_rng(seed))
        assert covered.shape == picture.shape and covered.dtype == np.uint8
        assert alpha.shape == (SIDE, SIDE) and 0 <= alpha.min() and alpha.max() <= 1
        # Beside the occluder there is nothing but its shadow: no channel gets brighter.
        beside = alpha < 0.004
        assert (covered[beside] <= picture[beside].astype(int) + 1).all()
        assert (covered[beside].astype(int) >= picture[beside] * 0.5).all()
        shares.append(float((alpha > 0.5).mean()))
    assert 0.01 < np.mean(shares) < 0.6
    assert np.std(shares) > 0


def test_the_same_numbers_draw_the_same(face, textures):
    picture, mesh = face
    one, other = (add_occluder(picture, mesh, textures, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
