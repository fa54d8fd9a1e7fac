"""Identity vectors of the people of a clip, and corrections of their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

#: Cosine of two identity vectors above which they are of one person.
SAME_PERSON_COSINE = 0.5
#: A vector is kept as the mean of at most so many, so that the latest looks count as well.
_MEMORY = 8


@dataclass(frozen=True)
class Renumbering:
    """From frame ``since`` on, the faces that were reported as ``track`` are those of ``person``;
    this was found out in frame ``known``, and later frames are numbered right.
    """

    track: int
    person: int
    since: int
    known: int


def corrected_numbers(
    tracks: NDArray[np.integer], frames: NDArray[np.integer], renumbered: Iterable[Renumbering]
) -> NDArray[np.int32]:
    """Numbers of faces (N,) as they are known in the end.

    Args:
        tracks: the numbers (N,) that they were reported under.
        frames: the frames (N,) that they are in.
        renumbered: what was found out, in the order in which it was.
    """
    numbers = np.array(tracks, np.int32)
    for known, together in groupby(renumbered, key=lambda one: one.known):
        before = numbers.copy()
        for one in together:
            wrong = (before == one.track) & (frames >= one.since) & (frames < known)
            numbers[wrong] = one.person
    return numbers


class People:
    """Identity vectors by a person's number; memory grows with the people, not with the frames."""

    def __init__(self) -> None:
        self._means: dict[int, NDArray[np.float32]] = {}
        self._counts: dict[int, int] = {}

    def learn(self, number: int, vector: NDArray[np.float32]) -> None:
        """Add an identity vector (D,) of unit length to a person's mean."""
        count = self._counts.get(number, 0)
        mean = self._means.get(number, np.zeros_like(vector))
        self._means[number] = unit(mean * np.float32(count) + vector)
        self._counts[number] = min(count + 1, _MEMORY)

    def forget(self, number: int) -> None:
        """Remove a number that was merged into another."""
        self._means.pop(number, None)
        self._counts.pop(number, None)

    def likeness(self, number: int, vector: NDArray[np.float32]) -> float | None:
        """Cosine of a unit vector with a person's, None if the person is not known."""
        mean = self._means.get(number)
        return None if mean is None else float(mean @ vector)

    def recognise(self, vector: NDArray[np.float32], besides: Collection[int]) -> int | None:
        """Number of the person with the highest cosine, None if all are below the threshold.

        Args:
            vector: unit vector (D,).
            besides: numbers that it cannot be.
        """
        likeness = {n: float(v @ vector) for n, v in self._means.items() if n not in besides}
        best = max(likeness, key=lambda n: likeness[n], default=None)
        return best if best is not None and likeness[best] >= SAME_PERSON_COSINE else None


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A vector (D,) at length 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)
