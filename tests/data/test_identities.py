import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.identities import Candidate, assign  # noqa: E402
from swaptalk.data.split import hashed_split  # noqa: E402
from swaptalk.data.store import Item  # noqa: E402

RNG = np.random.default_rng(0)
PEOPLE = RNG.standard_normal((400, 128)).astype(np.float32)


def photo(
    name: str, person: int, label: str = "", split: str = "", noise: float = 0.3
) -> Candidate:
    direction = PEOPLE[person] + noise * np.random.default_rng(list(name.encode())).standard_normal(
        128
    )
    item = Item(name, "unit", 0, 1, "photo", "", "train", 1.0)
    return Candidate(item, label, split, (direction / np.linalg.norm(direction)).astype(np.float32))


def split_of(
    candidates: list[Candidate], known: dict[str, str] | None = None
) -> dict[str, tuple[str, str]]:
    items, _ = assign(candidates, known or {}, 0.2)
    return {i.name: (i.identity, i.split) for i in items}


def test_the_share_of_test_people() -> None:
    splits = [hashed_split(f"person {k}", 0.1) for k in range(5000)]
    assert 0.08 < splits.count("test") / 5000 < 0.12
    assert hashed_split("x", 0.0) == "train"


def test_the_split_is_stable_under_new_data() -> None:
    old = [photo(f"labelled {k}", k, label=f"person {k}") for k in range(50)]
    old += [photo(f"found {k}", 50 + k) for k in range(50)]
    first = split_of(old)
    new = [photo(f"a new {k}", 100 + k) for k in range(100)] + [
        photo(f"zz again {k}", 50 + k) for k in range(50)
    ]
    later = split_of(new + old, {name: identity for name, (identity, _) in first.items()})
    assert {name: later[name] for name in first} == first
    for k in range(50):  # who was found again is the same person
        if f"zz again {k}" in later:
            assert later[f"zz again {k}"] == first[f"found {k}"]


def test_a_larger_test_share_only_adds_test_people() -> None:
    few = {k for k in range(500) if hashed_split(str(k), 0.1) == "test"}
    many = {k for k in range(500) if hashed_split(str(k), 0.3) == "test"}
    assert few < many


def test_no_person_is_in_both_splits() -> None:
    candidates = [photo(f"{k}-{n}", k) for k in range(80) for n in range(3)]
    found = split_of(candidates)
    by_identity: dict[str, set[str]] = {}
    for name, (identity, split) in found.items():
        by_identity.setdefault(identity, set()).add(split)
        assert identity == found[f"{name.partition('-')[0]}-0"][0]
    assert len(by_identity) == 80 and all(len(s) == 1 for s in by_identity.values())
    assert {"train", "test"} == set.union(*by_identity.values())


def test_given_splits_are_kept_and_crossings_left_out() -> None:
    candidates = [
        photo("exam", 0, "somebody", "test"),
        photo("same label", 0, "somebody", "train"),
        photo("other label", 0, "an alias", "train"),
        photo("no label", 0, "", ""),
        photo("somebody else", 1, "another", "train"),
    ]
    items, dropped = assign(candidates, {}, 0.0)
    assert {i.name: i.split for i in items} == {
        "exam": "test",
        "no label": "test",
        "somebody else": "train",
    }
    reasons = {item.name: reason for item, reason in dropped}
    assert reasons["same label"] == "the person is in the test split"
    assert reasons["other label"].startswith("looks like somebody of the test split")


def test_without_embeddings_everybody_unlabelled_is_alone() -> None:
    unknown = np.full(128, np.nan, np.float32)
    candidates = [dataclasses.replace(photo(str(k), 0), embedding=unknown) for k in range(3)]
    assert len({identity for identity, _ in split_of(candidates).values()}) == 3
