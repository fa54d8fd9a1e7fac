"""Piper: natural voices, one network each, faster than real time on a CPU. Extra ``voices``.

Piper runs as a program of its own. Its voices are files ``NAME.onnx``, each with a
``NAME.onnx.json``: in the folder of ``SWAPTALK_VOICES_DIR`` (or ``voices`` in the user's data
folder), and in Python packages called ``*_piper_voice``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from swaptalk.voices.voice import Voice, run_speaker

_PACKAGES = "_piper_voice"
#: Lines of a model card that say what a voice may be used for.
_TERMS = ("license", "licence", "finetuned from", "fine-tuned from", "trained from scratch")
#: Words in them by which a voice may not be used for everything.
_RESTRICTED = re.compile(r"lessac|blizzard|research|non-?commercial|\bnc\b", re.IGNORECASE)
#: What model cards leave out: many voices, whatever their own recordings' licence, were made from
#: ``lessac``, whose recordings have the licence of the Blizzard Challenge 2013.
_LESSAC = (
    "The recordings behind lessac (Blizzard Challenge 2013) are licensed for research only, which "
    "rules out commercial speech synthesis. Whether that reaches voices made from it is not "
    "settled: take another voice for commercial work"
)


def voices_folder() -> Path:
    """Where users put voices of their own."""
    named = os.environ.get("SWAPTALK_VOICES_DIR")
    if named:
        return Path(named)
    return Path(platformdirs.user_data_dir("swaptalk", appauthor=False)) / "voices"


class Piper:
    """The Piper of this Python installation, if there is one."""

    name = "piper"

    def voices(self) -> list[Voice]:
        """The voices found, without those whose description cannot be read."""
        if importlib.util.find_spec("piper") is None:
            return []
        return [voice for path in self._files().values() if (voice := self._described(path))]

    def speak(self, text: str, voice: Voice, output: Path) -> None:
        """See :class:`~swaptalk.voices.voice.Engine`."""
        model = self._files()[voice.id.partition(":")[2]]
        # Every line would be an utterance of its own.
        line = " ".join(text.split())
        command = [sys.executable, "-m", "piper", "-m", str(model), "-f", str(output)]
        run_speaker(command, line, output)

    def _files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in (*_package_folders(), voices_folder()):
            for path in sorted(folder.glob("*.onnx")):
                if path.with_name(f"{path.name}.json").exists():
                    found[path.stem] = path
        return found

    def _described(self, model: Path) -> Voice | None:
        language, _, rest = model.stem.partition("-")
        try:
            about = json.loads(model.with_name(f"{model.name}.json").read_text(encoding="utf-8"))
            code = about.get("language", {}).get("code", language)
        except (OSError, ValueError, AttributeError):
            return None
        return Voice(
            f"piper:{model.stem}",
            rest.replace("-", ", ").capitalize() or model.stem,
            str(code).replace("_", "-"),
            self.name,
            *_terms(model),
        )


def _package_folders() -> Iterator[Path]:
    for package in pkgutil.iter_modules():
        if package.name.endswith(_PACKAGES):
            spec = importlib.util.find_spec(package.name)
            for folder in (spec.submodule_search_locations or ()) if spec else ():
                yield Path(folder) / "data"


def _terms(model: Path) -> tuple[str, bool]:
    """What the model card beside a voice says of licences and of the voice it was made from, and
    whether that rules out some uses.
    """
    for card in (model.with_name("MODEL_CARD"), model.with_name(f"{model.stem}.MODEL_CARD")):
        if card.exists():
            lines = card.read_text(encoding="utf-8", errors="replace").splitlines()
            stripped = [line.strip(" *-") for line in lines]
            said = [line.rstrip(".") for line in stripped if line.lower().startswith(_TERMS)]
            told = " ".join([model.stem, *said])
            if "lessac" in told.lower():
                said.append(_LESSAC)
            if said:
                terms = f"{'. '.join(said)}. See its model card before you publish."
                return terms, _RESTRICTED.search(told) is not None
    unknown = (
        "Its files do not say what it may be used for; ask whoever made it before you publish."
    )
    return unknown, "lessac" in model.stem.lower()
