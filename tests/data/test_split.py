import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.faces import held_out_faces  # noqa: E402
from swaptalk.data.frames import FrameSampler  # noqa: E402
from swaptalk.data.prepare import index_units  # noqa: E402
from swaptalk.data.split import FEWEST_PEOPLE, validation_people  # noqa: E402
from swaptalk.data.store import Dataset, read_index, write_index  # noqa: E402

PEOPLE = [f"person {k}" for k in range(3000)]


def test_about_the_share_and_stable_under_new_people() -> None:
    chosen = validation_people(PEOPLE, 0.05)
    assert 110 < len(chosen) < 190
    assert validation_people(PEOPLE[:500], 0.05) == chosen & set(PEOPLE[:500])
    assert chosen < validation_people(PEOPLE, 0.1)
    assert validation_people(PEOPLE, 0.0) == set()


def test_a_handful_of_people_are_all_trained_on() -> None:
    assert validation_people(PEOPLE[: FEWEST_PEOPLE - 1], 0.9) == set()


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    """One photo and one more of each of 40 people, some of whom are tested on."""
    made = make_dataset({}, {f"{name} {k}": name for name in PEOPLE[:40] for k in "ab"})
    tested = set(PEOPLE[30:40])
    write_index(
        made.folder / "index.csv",
        [
            dataclasses.replace(i, split="test" if i.identity in tested else "train")
            for i in read_index(made.folder)
        ],
    )
    return Dataset(made.folder, 0.2)


def test_a_prepared_dataset_has_all_three_and_they_are_disjoint(dataset: Dataset) -> None:
    people = {s: {i.identity for i in dataset.select(s)} for s in ("train", "validation", "test")}  # type: ignore[arg-type]
    assert people["test"] == set(PEOPLE[30:40]) and 2 <= len(people["validation"]) <= 12
    assert sum(map(len, people.values())) == 40
    assert people["train"] | people["validation"] == {
        i.identity for i in Dataset(dataset.folder, 0.0).select("train")
    }


def test_validation_people_are_judged_on_and_never_drawn(dataset: Dataset) -> None:
    apart = {i.identity for i in dataset.select("validation")}
    assert {i.identity for i in dataset.judged()} == apart
    frames = FrameSampler(dataset, 0.3, 1.0, 9.0)
    drawn = {frames.draw(np.random.default_rng(k))[0].identity for k in range(300)}
    assert not drawn & (apart | set(PEOPLE[30:])) and len(drawn) > 10
    shown = held_out_faces(dataset, 50)
    whose = [
        i for i in dataset.items if any((dataset.picture(i, 0) == face).all() for face in shown)
    ]
    assert len(shown) == len(apart) and {i.identity for i in whose} == apart


def test_preparing_more_keeps_training_people_in_the_index(dataset: Dataset) -> None:
    before = read_index(dataset.folder)
    index_units(dataset.folder, 0.1)
    after = {i.name: i.split for i in read_index(dataset.folder)}
    assert set(after.values()) == {"train", "test"}
    assert {i.name: i.split for i in before if i.name in after} == after and len(after) > 70
