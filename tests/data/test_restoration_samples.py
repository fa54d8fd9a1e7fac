"""Samples of the restoration network: made once, the same ones again, of the right people."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data import restoration_samples  # noqa: E402
from swaptalk.data.restoration_samples import RestorationSamples, SampleRecipe  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.inference.bundle import default_directory  # noqa: E402

COUNT = 8


@pytest.fixture
def recipe(make_dataset: Callable[..., Dataset]) -> SampleRecipe:
    folder = make_dataset({}, {"a1": "ada", "a2": "ada", "b1": "bob", "b2": "bob"}).folder
    return SampleRecipe(
        folder,
        folder,
        default_directory(),
        judged=False,
        validation_share=0.0,
        mouth_share=0.0,
        maximum_scale=2.0,
        sharpness=0.0,
    )


def test_they_are_made_once(recipe: SampleRecipe) -> None:
    first = RestorationSamples(recipe)
    first.build(COUNT, workers=1)
    written = {file: file.stat().st_mtime_ns for file in first.folder.iterdir()}
    again = RestorationSamples(recipe)
    again.build(COUNT, workers=1)
    assert written == {file: file.stat().st_mtime_ns for file in again.folder.iterdir()}
    assert len(first) == len(again) == COUNT
    for a, b in ((first[k], again[k]) for k in range(COUNT)):
        np.testing.assert_array_equal(a.pictures, b.pictures)


def test_answers_are_real_pictures_or_count_nothing(recipe: SampleRecipe) -> None:
    samples = RestorationSamples(recipe)
    samples.build(COUNT, workers=1)
    dataset = Dataset(recipe.data, 0.0)
    real = [dataset.picture(item, 0) for item in dataset.items]
    people = {item.identity: dataset.embedding(item) for item in dataset.items}
    assert len(people) == 2
    weights = set()
    for sample in (samples[k] for k in range(COUNT)):
        face, restored, guide, answer = sample.pictures
        weights.add(float(sample.weight))
        if sample.weight:
            assert any(np.array_equal(answer, one) for one in real)
        else:
            np.testing.assert_array_equal(answer, restored)
        assert sample.mask.max() == 255 and sample.mask.min() == 0
        assert not np.array_equal(face, guide)
        assert np.isfinite(sample.identity).all()
    assert weights == {0.0, 1.0}


def test_more_can_be_made_later(recipe: SampleRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoration_samples, "CHUNK", 4)
    RestorationSamples(recipe).build(3, workers=1)
    more = RestorationSamples(recipe)
    more.build(5, workers=1)
    assert len(more) == 3 + 4
    found = [more[k].pictures for k in range(7)]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(found))


def test_samples_of_another_recipe_are_not_taken(recipe: SampleRecipe) -> None:
    folder = RestorationSamples(recipe).folder
    for change in ({"excluded": frozenset({"a1"})}, {"sharpness": 1.0}, {"judged": True}):
        other = dataclasses.replace(recipe, **change)  # type: ignore[arg-type]
        assert RestorationSamples(other).folder != folder


def test_excluded_pictures_are_not_used(recipe: SampleRecipe) -> None:
    left = dataclasses.replace(recipe, excluded=frozenset({"a1", "a2", "b2"}))
    with pytest.raises(InputError, match="no person has two pictures"):
        RestorationSamples(left).build(COUNT, workers=1)
