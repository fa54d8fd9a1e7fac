"""Identities and split: labels, pseudo-identities for unlabelled items, a stable split.

A person's split follows from a hash of the person's name, so it does not depend on who else is
there. Unlabelled items join the person they look like (SFace) or become a new one named after
themselves; once given, a name stays.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.split import Split, hashed_split
from swaptalk.data.store import Item

#: Cosine of SFace above which an unlabelled item is a known person; its authors' threshold for
#: "same" is .363, and chains of lookalikes ask for more.
SAME_PERSON = 0.5
#: Cosine above which a training item is too like a test person to be trained on.
CROSSING = 0.6


@dataclass(frozen=True)
class Candidate:
    """A prepared item before identities: ``label`` and ``split`` as given by the source (empty:
    unknown).
    """

    item: Item
    label: str
    split: str
    embedding: NDArray[np.float32]


class _People:
    """Mean directions of the known people."""

    def __init__(self, dimensions: int) -> None:
        self._names: list[str] = []
        self._index: dict[str, int] = {}
        self._sums = np.zeros((16, dimensions), np.float32)

    def add(self, name: str, direction: NDArray[np.float32]) -> None:
        if name not in self._index:
            self._index[name] = len(self._names)
            self._names.append(name)
            if len(self._names) > len(self._sums):
                self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        if np.isfinite(direction).all():
            self._sums[self._index[name]] += direction

    def nearest(self, direction: NDArray[np.float32]) -> tuple[str, float]:
        """Return the most similar person and the cosine; ("", 0) if nobody is known."""
        if not self._names or not np.isfinite(direction).all():
            return "", 0.0
        sums = self._sums[: len(self._names)]
        cosine = (
            sums
            @ direction
            / np.maximum(np.linalg.norm(sums, axis=1) * np.linalg.norm(direction), 1e-6)
        )
        best = int(cosine.argmax())
        return self._names[best], float(cosine[best])


def assign(
    candidates: Sequence[Candidate], known: Mapping[str, str], test_share: float
) -> tuple[list[Item], list[tuple[Item, str]]]:
    """Assign a person and a split to each item.

    Args:
        candidates: all items of the dataset.
        known: person of each item by item name, from the index that is being replaced.
        test_share: share of people for testing, where the sources do not say.

    Returns:
        The items to keep, in the order given, and those to leave out with the reason.
    """
    names = _names(candidates, known)
    given: dict[str, set[str]] = {}
    for candidate in candidates:
        if candidate.split:
            given.setdefault(names[candidate.item.name], set()).add(candidate.split)
    kept: list[tuple[Item, Candidate]] = []
    dropped: list[tuple[Item, str]] = []
    for candidate in candidates:
        identity = names[candidate.item.name]
        splits = given.get(identity, set())
        split: Split = hashed_split(identity, test_share)
        if splits:
            split = "test" if "test" in splits else "train"
        item = dataclasses.replace(candidate.item, identity=identity, split=split)
        if candidate.split and candidate.split != split:
            dropped.append((item, "the person is in the test split"))
        else:
            kept.append((item, candidate))
    test = _People(_dimensions(candidates))
    for item, candidate in kept:
        if item.split == "test":
            test.add(item.identity, candidate.embedding)
    items = []
    for item, candidate in kept:
        person, cosine = test.nearest(candidate.embedding) if item.split == "train" else ("", 0.0)
        if cosine > CROSSING:
            dropped.append((item, f"looks like {person} of the test split ({cosine:.2f})"))
        else:
            items.append(item)
    return items, dropped


def _dimensions(candidates: Sequence[Candidate]) -> int:
    return max((len(c.embedding) for c in candidates), default=1)


def _names(candidates: Sequence[Candidate], known: Mapping[str, str]) -> dict[str, str]:
    """Person of each item by item name."""
    people = _People(_dimensions(candidates))
    names: dict[str, str] = {}
    for candidate in candidates:
        name = candidate.label or known.get(candidate.item.name, "")
        if name:
            names[candidate.item.name] = name
            people.add(name, candidate.embedding)
    for candidate in sorted(candidates, key=lambda c: c.item.name):
        if candidate.item.name in names:
            continue
        name, cosine = people.nearest(candidate.embedding)
        if cosine < SAME_PERSON:
            name = "face-" + hashlib.sha256(candidate.item.name.encode()).hexdigest()[:12]
        names[candidate.item.name] = name
        people.add(name, candidate.embedding)
    return names
