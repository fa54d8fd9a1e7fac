"""``swaptalk voices``: the voices that are installed, and those that can be."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from swaptalk.errors import InputError
from swaptalk.voices.catalogue import installed_voices
from swaptalk.voices.install import FREE_VOICES, install_voice


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the voices that speak text, with what each may be used for; install one by name."""

    language: str | None = None
    """Only voices of this language, such as de or en-US."""
    json: bool = False
    """Print JSON."""
    install: str | None = None
    """Fetch a natural voice, free for any use: en_US-ljspeech-medium or en_GB-cori-medium."""


def run(options: Options) -> int:
    """Install a voice if one is named, then print the list; returns the exit code.

    Raises:
        InputError: there is no voice, or the one named cannot be installed.
    """
    if options.install is not None:
        print(f"installed: {install_voice(options.install)}", file=sys.stderr)
    wanted = (options.language or "").lower()
    voices = [one for one in installed_voices() if f"{one.language.lower()}-".startswith(wanted)]
    if not voices:
        raise InputError(
            "no voice is installed" + (f" for '{options.language}'" if wanted else ""),
            remedy="install espeak-ng, or 'swaptalk[voices]' and then a voice with --install",
        )
    if options.json:
        print(json.dumps([asdict(voice) for voice in voices], indent=1))
        return 0
    for voice in voices:
        print(f"{voice.id:36} {voice.language:12} {voice.name}")
    for terms in dict.fromkeys(voice.terms for voice in voices):
        names = [voice.id for voice in voices if voice.terms == terms]
        print(f"\n{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {terms}")
    present = {voice.id for voice in voices}
    for free in FREE_VOICES:
        if f"piper:{free.name}" not in present:
            about = f"{free.speaker}, {free.terms}, {free.megabytes} MB"
            print(f"\nto be had: swaptalk voices --install {free.name}  ({about})")
    return 0
