"""eSpeak NG: small, robotic, some hundred languages; a system package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from swaptalk.voices.voice import LIST_SECONDS, Voice, run_speaker

PROGRAMS = ("espeak-ng", "espeak")
TERMS = "The program is under the GPL 3; what it speaks is yours to use."


class Espeak:
    """The eSpeak program on the path, if there is one."""

    name = "espeak-ng"

    def voices(self) -> list[Voice]:
        """One voice for each language."""
        program = self._program()
        if program is None:
            return []
        try:
            run = subprocess.run(
                [program, "--voices"],
                capture_output=True,
                text=True,
                timeout=LIST_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        # Columns: priority, language, age and gender, name, file.
        rows = [line.split() for line in run.stdout.splitlines()[1:]]
        rows.sort(key=lambda row: row[0])  # the usual variant of a language before the others
        return [
            Voice(f"espeak:{row[1]}", row[3].replace("_", " "), row[1], self.name, TERMS)
            for row in rows
            if len(row) >= 4
        ]

    def speak(self, text: str, voice: Voice, output: Path) -> None:
        """See :class:`~swaptalk.voices.voice.Engine`."""
        program = self._program() or PROGRAMS[0]
        run_speaker([program, "--stdin", "-v", voice.language, "-w", str(output)], text, output)

    @staticmethod
    def _program() -> str | None:
        return next((name for name in PROGRAMS if shutil.which(name)), None)
