"""Split of people into training, validation and test; new data move nobody.

Each person's split follows from a hash of the person's name. The index of a dataset knows training
and test people; validation people are taken from the training people whenever a dataset is opened,
so that datasets prepared long ago have them too, and anybody who wants to train on them can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

Split = Literal["train", "validation", "test"]

#: Share of the training people who are set apart for validation.
VALIDATION_SHARE = 0.05
#: With fewer training people nobody is set apart: too few would be left, or none would be found.
FEWEST_PEOPLE = 20
#: Goes before the name in the validation's hash, which must have nothing to do with the test
#: split's.
_PURPOSE = "validation:"


def _below(text: str, share: float) -> bool:
    """Return whether a text's hash is among the lowest ``share`` of all."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") < share * 2**64


def hashed_split(identity: str, test_share: float) -> Split:
    """Return ``test`` (a share of ``test_share``) or ``train``, by a person's name alone."""
    return "test" if _below(identity, test_share) else "train"


def validation_people(people: Iterable[str], share: float) -> set[str]:
    """Choose validation people, about ``share`` of the training people.

    Args:
        people: everybody who is not tested on.
        share: 0 sets nobody apart.
    """
    names = set(people)
    return (
        {name for name in names if _below(_PURPOSE + name, share)}
        if len(names) >= FEWEST_PEOPLE
        else set()
    )
