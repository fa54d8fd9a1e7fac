"""Natural voices whose terms allow any use, to be installed by name.

Piper's own downloader fetches them from the collection of its authors. A voice is in this list if
its recordings are in the public domain and it was trained from nothing else: many other voices were
finetuned from one whose recordings are for research only.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.storage.files import output_error
from swaptalk.storage.hashing import sha256_of
from swaptalk.voices.piper import voices_folder

#: Seconds that a download may take.
DOWNLOAD_SECONDS = 1800


@dataclass(frozen=True)
class FreeVoice:
    """A voice of Piper's collection; hashes are SHA-256 in hexadecimal."""

    name: str
    speaker: str
    recordings: str
    model_sha256: str
    config_sha256: str
    megabytes: int = 64
    terms: str = "public domain"

    @property
    def card(self) -> str:
        """What is written beside its files: where it comes from and what it may be used for."""
        return (
            f"# {self.name}\n\n{self.speaker}.\n\n* Recordings: {self.recordings}\n"
            f"* License: {self.terms}\n* Trained from scratch\n"
            "* Model: https://huggingface.co/rhasspy/piper-voices\n"
        )


FREE_VOICES = (
    FreeVoice(
        "en_US-ljspeech-medium",
        "American English, female",
        "LJ Speech, https://keithito.com/LJ-Speech-Dataset/",
        "6f52a751e2349abe7a76735eb09dc1875298c77ea2342ffd2fef79ff81b87f22",
        "141d612cc0a95ed7efc1ca936b845c2364967f2e9217c5dbfcf69fc4d6c65860",
    ),
    FreeVoice(
        "en_GB-cori-medium",
        "British English, female",
        "LibriVox, https://librivox.org, put together by https://brycebeattie.com/files/tts/",
        "1899f98e5fb8310154f3c2973f4b8a929ba7245e722b3d3a85680b833d95f10d",
        "e262c16d7f192f69d4edd6b4ef8a5915379e67495fcc402f1ab15eeb33da3d36",
    ),
)


def install_voice(name: str) -> Path:
    """Fetch a voice of :data:`FREE_VOICES` into the user's folder of voices.

    Returns:
        The voice's model.

    Raises:
        InputError: there is no such voice in the list, Piper is not installed, or the files could
            not be fetched or written or are not the expected ones. Nothing is kept of them then.
    """
    voice = next((one for one in FREE_VOICES if one.name == name.strip()), None)
    if voice is None:
        known = " or ".join(one.name for one in FREE_VOICES)
        raise InputError(
            f"'{name[:60]}' is none of the voices whose terms allow any use",
            remedy=f"give {known}; another voice's files go into {voices_folder()}, "
            "after a look at its model card",
        )
    if importlib.util.find_spec("piper") is None:
        raise InputError(
            "Piper, which speaks with this voice, is not installed",
            remedy="install 'swaptalk[voices]'",
        )
    folder = voices_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as fetched:
            _fetch(voice, Path(fetched))
            return adopt(voice, Path(fetched), folder)
    except OSError as error:
        raise output_error(error, folder) from error


def _fetch(voice: FreeVoice, into: Path) -> None:
    command = [sys.executable, "-m", "piper.download_voices", voice.name]
    try:
        run = subprocess.run(
            [*command, "--download-dir", str(into)],
            capture_output=True,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"the download of {voice.name} took too long", remedy="try again later"
        ) from None
    if run.returncode != 0:
        said = run.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(
            f"{voice.name} could not be downloaded ({said[-1][:200] if said else 'no reason'})",
            remedy="see whether this machine reaches huggingface.co, or copy the voice's files "
            f"into {voices_folder()}",
        )


def adopt(voice: FreeVoice, fetched: Path, folder: Path) -> Path:
    """Check a voice's files and move them into a folder, the model last.

    Raises:
        InputError: a file is not the expected one.
    """
    files = {
        f"{voice.name}.onnx.json": voice.config_sha256,
        f"{voice.name}.onnx": voice.model_sha256,
    }
    for name, expected in files.items():
        if not (fetched / name).exists() or sha256_of(fetched / name) != expected:
            raise InputError(
                f"{name} is not the file whose origin was checked",
                remedy="nothing was kept; try again, or report it: its terms may have changed",
            )
    (folder / f"{voice.name}.MODEL_CARD").write_text(voice.card, encoding="utf-8")
    for name in files:
        (fetched / name).replace(folder / name)
    return folder / f"{voice.name}.onnx"
