"""Several people in one job of the server: from the request to entries of ``--person``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swaptalk.pipeline.people import LIKE, Person


def person_entries(
    people: Sequence[Mapping[str, Any]], path: Callable[[str], Path]
) -> tuple[str, ...]:
    """The entries of a request's people.

    Args:
        people: as the request has them.
        path: where an upload lies.
    """
    return tuple(_person(one, path).entry for one in people)


def _person(asked: Mapping[str, Any], path: Callable[[str], Path]) -> Person:
    like, audio = asked.get("like"), asked.get("audio")
    return Person(
        face=str(asked.get("face")) if like is None else f"{LIKE}{path(like)}",
        source=tuple(path(upload) for upload in asked.get("source", ())),
        source_face=asked.get("source_face"),
        audio=None if audio is None else path(audio),
        strength=asked.get("strength"),
        shape=asked.get("shape"),
        name=asked.get("name"),
    )


def turn_table(turns: Sequence[Mapping[str, Any]]) -> str:
    """The table of ``--turns`` with a request's turns."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(("start", "end", "person"))
    rows.writerows((turn["start"], turn["end"], turn["person"]) for turn in turns)
    return written.getvalue()
