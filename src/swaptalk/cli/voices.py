"""``swaptalk voices``: the voices that are installed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from swaptalk.errors import InputError
from swaptalk.voices.catalogue import installed_voices


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the voices that speak text: id, language, name, and what each may be used for."""

    language: str | None = None
    """Only voices of this language, such as de or en-US."""
    json: bool = False
    """Print JSON."""


def run(options: Options) -> int:
    """Print the list; returns the exit code.

    Raises:
        InputError: there is no voice.
    """
    wanted = (options.language or "").lower()
    voices = [one for one in installed_voices() if f"{one.language.lower()}-".startswith(wanted)]
    if not voices:
        raise InputError(
            "no voice is installed" + (f" for '{options.language}'" if wanted else ""),
            remedy="install 'swaptalk[voices]' or espeak-ng",
        )
    if options.json:
        print(json.dumps([asdict(voice) for voice in voices], indent=1))
        return 0
    for voice in voices:
        print(f"{voice.id:36} {voice.language:12} {voice.name}")
    for terms in dict.fromkeys(voice.terms for voice in voices):
        names = [voice.id for voice in voices if voice.terms == terms]
        print(f"\n{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {terms}")
    return 0
