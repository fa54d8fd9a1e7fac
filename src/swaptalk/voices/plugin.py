"""Any other speech program, through a command.

``SWAPTALK_VOICES_COMMAND`` names a program that understands two calls:

- ``PROGRAM list`` prints a JSON array of ``{"id", "name", "language", "terms"}``;
- ``PROGRAM speak ID OUTPUT`` reads the text (UTF-8) on standard input and writes the WAV file
  ``OUTPUT``. What it says on standard error is told to the user when it fails.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from swaptalk.voices.voice import LIST_SECONDS, Voice, run_speaker

VARIABLE = "SWAPTALK_VOICES_COMMAND"
_LENGTH = 300


class Plugin:
    """The program that the environment names, if any."""

    name = "plugin"

    def voices(self) -> list[Voice]:
        """What the program lists; nothing if it fails or answers something else."""
        program = os.environ.get(VARIABLE)
        if not program:
            return []
        try:
            run = subprocess.run(
                [program, "list"], capture_output=True, timeout=LIST_SECONDS, check=True
            )
            return [
                Voice(
                    f"plugin:{one['id']}",
                    str(one["name"])[:_LENGTH],
                    str(one["language"])[:_LENGTH],
                    Path(program).stem,
                    str(one.get("terms") or "The program does not say what it may be used for."),
                )
                for one in json.loads(run.stdout)
            ]
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
            return []

    def speak(self, text: str, voice: Voice, output: Path) -> None:
        """See :class:`~swaptalk.voices.voice.Engine`."""
        program = os.environ.get(VARIABLE, "")
        run_speaker([program, "speak", voice.id.partition(":")[2], str(output)], text, output)
