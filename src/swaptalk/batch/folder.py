"""Where a batch keeps what it needs for the next run."""

from __future__ import annotations

import hashlib
from pathlib import Path

from swaptalk.storage.files import beside
from swaptalk.voices.catalogue import find_voice, speak


def batch_folder(table: Path) -> Path:
    """Return the folder of a table's row states, shared templates and spoken texts."""
    return beside(table, ".batch")


def spoken_text(text: str, wanted: str, table: Path) -> Path:
    """Return the recording of a text, which is made once.

    Args:
        text: what is said.
        wanted: voice or language, as :func:`find_voice` takes it.
        table: the table whose folder keeps it.

    Raises:
        InputError: there is no such voice, or it cannot speak the text.
    """
    voice = find_voice(wanted)
    name = hashlib.sha256(f"{voice.id}\n{text}".encode()).hexdigest()[:16]
    path = batch_folder(table) / f"speech-{name}.wav"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        try:
            speak(text, voice, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path
