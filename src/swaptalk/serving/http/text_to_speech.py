"""Text to speech by a local program, if one is installed. Nothing is sent anywhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from swaptalk.errors import InputError

#: Programs that read text on standard input (the last argument may say so) and write a WAV file.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "espeak-ng": ("--stdin", "-v", "{language}", "-w", "{output}"),
    "espeak": ("--stdin", "-v", "{language}", "-w", "{output}"),
}
#: About two minutes of speech.
LONGEST_TEXT = 2000
TIMEOUT_SECONDS = 60


def speech_program() -> str | None:
    """The speech program that is installed here, or None."""
    return next((name for name in PROGRAMS if shutil.which(name)), None)


def speak(text: str, language: str, output: Path) -> None:
    """Write a WAV file in which ``text`` is spoken.

    Args:
        text: at most :data:`LONGEST_TEXT` characters.
        language: as the program names it, such as ``en`` or ``de``; letters, digits and ``-`` only.
        output: the file.

    Raises:
        InputError: no program, or it could not speak that.
    """
    program = speech_program()
    if program is None:
        raise InputError(
            "no speech program is installed", remedy="record the words, or install espeak-ng"
        )
    arguments = [part.format(language=language, output=output) for part in PROGRAMS[program]]
    try:
        run = subprocess.run(
            [program, *arguments],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError("speaking the text took too long", remedy="give a shorter text") from None
    if run.returncode != 0 or not output.exists():
        said = run.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(
            f"the text could not be spoken ({said[0][:200] if said else 'no reason given'})",
            remedy="try another language",
        )
