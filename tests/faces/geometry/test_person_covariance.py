"""What varies between people is told from what varies within them."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.geometry.person_covariance import person_covariances


def test_both_covariances_are_found_from_a_few_photographs_of_each() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(2000), 3)
    scores = rng.normal(size=(2000, 2))[people] * [2.0, 0.5] + rng.normal(size=(6000, 2))
    between, within = person_covariances(scores, people)
    np.testing.assert_allclose(between, np.diag([4, 0.25]), atol=0.25)
    np.testing.assert_allclose(within, np.eye(2), atol=0.06)


def test_people_with_one_photograph_say_nothing_about_either() -> None:
    rng = np.random.default_rng(0)
    people, scores = np.repeat(np.arange(50), 2), rng.normal(size=(100, 3))
    alone = np.concatenate([scores, 100 * rng.normal(size=(20, 3))])
    numbers = np.concatenate([people, np.arange(100, 120)])
    for one, other in zip(
        person_covariances(scores, people), person_covariances(alone, numbers), strict=True
    ):
        np.testing.assert_allclose(one, other)


def test_what_varies_between_people_is_never_negative() -> None:
    scores = np.random.default_rng(1).normal(size=(40, 6))  # nobody differs from anybody
    between, _ = person_covariances(scores, np.repeat(np.arange(20), 2))
    assert np.linalg.eigvalsh(between).min() > -1e-9


def test_somebody_needs_two_photographs() -> None:
    with pytest.raises(ValueError, match="nobody has two photographs"):
        person_covariances(np.zeros((5, 2)), np.arange(5))
