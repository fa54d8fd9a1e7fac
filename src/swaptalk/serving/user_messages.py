"""Translate errors of the pipeline for the page and the API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swaptalk.errors import SwapTalkError

#: What the page calls the things that the command line has options for; other options keep their
#: names.
WORDS = {
    "--source-face": "“who in the photo”",
    "--face": "“whose face”",
    "--source": "the photo",
    "--audio": "the words",
    "--target": "the scene",
    "--start": "“from”",
    "--end": "“to”",
    "--list-faces": "the page",
    "--allow-long": "a longer limit on the server",
    "--preview": "the preview",
    "--output": "the result",
    "--fps": "“frames a second”",
    "--extend freeze": "“last frame held”",
    "--length video": "the length “as the scene”",
    "--background duck": "“lowered under the words”",
}
#: An option, those of several words first.
_OPTION = re.compile(
    "|".join(
        f"{option}(?![a-z-])"
        for option in (*sorted(WORDS, key=len, reverse=True), "--[a-z]+(?:-[a-z]+)*")
    )
)


def in_words(text: str) -> str:
    """Replace options of the command line by the names on the page."""
    return _OPTION.sub(lambda found: WORDS.get(found[0], found[0][2:].replace("-", " ")), text)


def field_of(text: str) -> str | None:
    """Return the API field of an option that a message names."""
    found = re.search(r"--([a-z]+(?:-[a-z]+)*)", text)
    return None if found is None else found[1].replace("-", "_")


def explain(
    error: SwapTalkError,
    inputs: Mapping[Path, tuple[str, str]],
    entries: Sequence[str] = (),
) -> dict[str, Any]:
    """Convert an error to what a job stores: ``title``, ``detail``, ``remedy``, ``field``.

    Args:
        error: what was raised.
        inputs: field and user's name of each input file, by path.
        entries: of ``--person``; users know them by their position.
    """
    field, name = (
        inputs.get(Path(error.path), (None, None)) if error.path is not None else (None, None)
    )
    if name is None:
        field = field_of(error.problem)
    for number, entry in enumerate(entries):
        if error.problem.startswith(f'--person "{entry}"'):
            field = f"people.{number}"

    def told(text: str) -> str:
        for number, entry in enumerate(entries, 1):
            text = text.replace(f'--person "{entry}"', f"entry {number}")
            text = text.replace(f'"{entry}"', f"entry {number}")
        for path, (_, called) in inputs.items():
            text = text.replace(str(path), f"“{called}”")
        return sentence(in_words(text))

    said = {
        "title": "This could not be made",
        "detail": told(f"“{name}”: {error.problem}" if name else error.problem),
        "remedy": told(error.remedy),
    }
    return said if field is None else {**said, "field": field}


def note_in_words(note: str, names: Mapping[Path, str]) -> str:
    """Replace paths in a note of the pipeline by the users' names, and options by the page's.

    Args:
        note: a line of :mod:`swaptalk.pipeline.notes`.
        names: what the user knows each file as, by path.
    """
    for path, name in names.items():
        note = note.replace(str(path), name)
    return sentence(in_words(note))


def sentence(text: str) -> str:
    """Capitalise a sentence and end it with a full stop."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
