import numpy as np
import pytest

from swaptalk.metrics.identity_retrieval import identity_retrieval, retrieval_ranks


def test_perfect_and_rotated_galleries() -> None:
    gallery = np.eye(10)
    own = np.arange(10)
    perfect = identity_retrieval(gallery * 3.0, own, gallery)
    assert (perfect.top1, perfect.top5, perfect.gallery_size) == (100.0, 100.0, 10)
    wrong = identity_retrieval(np.roll(gallery, 1, axis=0), own, gallery)
    assert wrong.top1 == 0.0


def test_ranks_of_a_constructed_case() -> None:
    # The query points between entries at 0, 10, 20, ... degrees: at 23 the order is 20, 30, 10, 40,
    # 0.
    angles = np.radians(np.arange(0, 50, 10))
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    query = np.array([[np.cos(np.radians(23)), np.sin(np.radians(23))]])
    ranks = [int(retrieval_ranks(query, np.array([i]), gallery)[0]) for i in range(5)]
    assert ranks == [4, 2, 0, 1, 3]


def test_top5_counts_what_top1_misses() -> None:
    gallery = np.eye(8)
    query = np.zeros((2, 8))
    query[0, :4] = [1.0, 0.9, 0.8, 0.7]
    query[1] = [0, 0, 0, 0, 0, 1, 0, 0]
    result = identity_retrieval(query, np.array([3, 5]), gallery)
    assert (result.top1, result.top5) == (50.0, 100.0)


def test_a_constant_embedding_does_not_score() -> None:
    same = np.ones((6, 4))
    assert identity_retrieval(same, np.arange(6), same).top5 == 0.0


def test_chance_level() -> None:
    rng = np.random.default_rng(0)
    result = identity_retrieval(
        rng.normal(size=(4000, 64)), rng.integers(0, 50, 4000), rng.normal(size=(50, 64))
    )
    assert result.top1 == pytest.approx(2.0, abs=1.0)
    assert result.top5 == pytest.approx(10.0, abs=2.0)


def test_an_identity_outside_the_gallery_is_refused() -> None:
    with pytest.raises(ValueError, match="gallery of 3"):
        identity_retrieval(np.eye(3), np.array([0, 1, 3]), np.eye(3))
