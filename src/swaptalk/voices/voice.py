"""What a voice and a speech engine are."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from swaptalk.errors import InputError

#: Seconds that an engine may take for a text, and for the list of its voices.
TIMEOUT_SECONDS, LIST_SECONDS = 60, 15


@dataclass(frozen=True)
class Voice:
    """One voice that is installed."""

    id: str
    """``ENGINE:NAME``, unique on this machine."""
    name: str
    language: str
    """As BCP 47 says, such as ``en-US``."""
    engine: str
    terms: str
    """What it may be used for, as far as its files say."""
    restricted: bool = False
    """Whether its terms, or those of the voice it was made from, rule out some uses."""


class SlowVoiceError(InputError):
    """The program took longer than :data:`TIMEOUT_SECONDS`; on an idle machine it may not."""


class Engine(Protocol):
    """A program that speaks."""

    name: str

    def voices(self) -> list[Voice]:
        """The voices that are installed for it; none if the engine itself is missing."""

    def speak(self, text: str, voice: Voice, output: Path) -> None:
        """Write a WAV file in which the text is spoken.

        Raises:
            InputError: the program failed or took too long.
        """


def run_speaker(command: Sequence[str], text: str, output: Path) -> None:
    """Run a program that reads the text on standard input and writes ``output``.

    Raises:
        SlowVoiceError: it took too long, and was ended.
        InputError: it failed, or wrote nothing.
    """
    try:
        run = subprocess.run(
            command,
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SlowVoiceError(
            f"speaking the text took too long (more than {TIMEOUT_SECONDS} s)",
            remedy="give a shorter text, or try again when the machine is less busy",
        ) from None
    except OSError as error:
        raise InputError(
            f"the speech program cannot be run ({error.strerror})", remedy="install it again"
        ) from error
    if run.returncode != 0 or not output.exists() or not output.stat().st_size:
        said = run.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(
            f"the text could not be spoken ({said[-1][:200] if said else 'no reason given'})",
            remedy="try another voice or text",
        )
