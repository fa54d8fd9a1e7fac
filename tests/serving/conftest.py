"""A real server in a process of its own, with real workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from swaptalk.client import Client
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.voices.espeak import Espeak

from .. import waiting

CONSENT = "The person in the photo and the speaker agreed to this video. (A test.)"


class RunningServer:
    """``swaptalk serve`` on a free port."""

    consent = CONSENT

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self._options = data, options
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "swaptalk",
                "serve",
                "--port",
                "0",
                "--data",
                str(self.data),
                "--free-disk-gb",
                "0.01",
                *self._options,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("SwapTalk is at "), said
        self.url = said.split()[-1].rstrip("/")
        self.client = httpx.Client(base_url=self.url, timeout=60)
        self.api = Client(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def upload(self, path: Path, name: str | None = None) -> dict[str, Any]:
        return dict(self.api.upload(path, name).data)

    def submit(self, **job: Any) -> dict[str, Any]:
        return dict(self.api.submit(**{"consent": CONSENT, **job}).data)

    def job(self, job: str) -> dict[str, Any]:
        return self.client.get(f"/api/v1/jobs/{job}").json()

    def wait(
        self, job: str, until: Callable[[dict[str, Any]], bool] | None = None
    ) -> dict[str, Any]:
        """The job, once it has ended or ``until`` is true of it."""
        found: dict[str, Any] = {}

        def reached() -> bool:
            found.update(self.job(job))
            return until(found) if until else found["state"] in ("done", "failed", "cancelled")

        # Each look is a request, which takes both processes some milliseconds.
        waiting.until(reached, f"a change of job {job}", pause=0.05)
        return found

    def inspected(self, upload: str) -> dict[str, Any]:
        return self.wait(self.client.get(f"/api/v1/uploads/{upload}").json()["inspection"]["id"])


@pytest.fixture(scope="session", autouse=True)
def weights() -> None:
    if not (default_directory() / BUNDLE_NAME).exists():
        pytest.skip("this checkout has no weights")


#: Stands in for a speech program where none is installed: a tone for every word.
SPEAKER = f"""#!{sys.executable}
import struct, sys, wave
if "--voices" in sys.argv:
    sys.exit(print("Pty Language Age/Gender VoiceName File\\n 5 en --/M English gmw/en"))
given = sys.argv[sys.argv.index("-v") + 1:]
samples = [(i // 40 % 2 - 0.5) * 12000 for i in range(8000 * len(sys.stdin.read().split()))]
with wave.open(given[given.index("-w") + 1], "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", None))
    file.writeframes(struct.pack(f"<{{len(samples)}}h", *map(int, samples)))
"""


@pytest.fixture(scope="session")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A voice for the servers: eSpeak's where it is installed, or else a stand-in's."""
    with pytest.MonkeyPatch.context() as patch:
        if not Espeak().voices():
            program = tmp_path_factory.mktemp("speaker") / "espeak-ng"
            program.write_text(SPEAKER)
            program.chmod(0o700)
            patch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        if not Espeak().voices():
            pytest.skip("the stand-in for a speech program cannot be run here")
        yield "espeak:en"


@pytest.fixture(scope="session")
def serve(
    speaker: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RunningServer]]:
    """Factory of servers; all are stopped at the end."""
    os.environ["PYTHONUNBUFFERED"] = "1"
    running: list[RunningServer] = []

    def start(*options: str, data: Path | None = None) -> RunningServer:
        running.append(RunningServer(data or tmp_path_factory.mktemp("server"), *options))
        return running[-1]

    yield start
    for server in running:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def server(serve: Callable[..., RunningServer]) -> RunningServer:
    """One server for all tests that leave it as it is."""
    return serve(
        "--max-seconds",
        "60",
        "--max-upload-mb",
        "20",
        "--max-pixels",
        "1000000",
        "--max-waiting",
        "50",
    )
