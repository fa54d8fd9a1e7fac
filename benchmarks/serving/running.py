"""A server for benchmarks, and small inputs made from a photo."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from swaptalk.assets.catalogue import resolve
from swaptalk.media.image import read_image
from swaptalk.media.video_writer import VideoWriter

CONSENT = "The pictures are in the public domain and the voice is a tone. (A benchmark.)"


class Server:
    """``swaptalk serve`` on one folder and port; it can be killed and started again. Use it in a
    ``with`` block.

    With ``watch`` its standstills are written to that file at its end (see ``watch.py``).
    """

    def __init__(self, data: Path, port: int, *options: str, watch: Path | None = None) -> None:
        self.data, self._log = data, data.with_suffix(".log")
        program = (
            ["-m", "swaptalk"]
            if watch is None
            else [str(Path(__file__).with_name("watch.py")), str(watch)]
        )
        self._command = [
            sys.executable,
            *program,
            "serve",
            "--port",
            str(port),
            "--data",
            str(data),
            *options,
        ]
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said:
            raise SystemExit(f"the server did not start: {self.log()}")
        self.client = httpx.Client(base_url=self.url, timeout=120)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *failure: object) -> None:
        """SIGTERM, also when the benchmark has failed."""
        end(self.process)

    def log(self) -> str:
        """What it has said on standard error so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def upload(self, path: Path) -> str:
        """Send a file; returns its name on the server."""
        answer = self.client.post(
            "/api/v1/uploads", params={"name": path.name}, content=path.read_bytes()
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def submit(self, key: str, **job: Any) -> str:
        """Queue a render; returns its name."""
        answer = self.client.post(
            "/api/v1/jobs", json={"consent": CONSENT, **job}, headers={"Idempotency-Key": key}
        )
        answer.raise_for_status()
        return str(answer.json()["id"])


def end(process: subprocess.Popen[Any]) -> None:
    """Let a process end, and make it if it does not."""
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def inputs(folder: Path, seconds: float) -> tuple[Path, Path, Path]:
    """Photo, a small video (160 x 144, 2 s) and a recording of so many seconds."""
    photo = resolve("astronaut", progress=False)
    picture = cv2.resize(
        read_image(resolve("grace-hopper", progress=False))[20:380, 60:460], (176, 160)
    )
    video = folder / "scene.mp4"
    with VideoWriter(video, 160, 144, 25, quality=12) as writer:
        for index in range(50):
            x, y = round(8 + 8 * np.sin(index / 4)), round(8 + 4 * np.cos(index / 5))
            writer.write(np.ascontiguousarray(picture[y : y + 144, x : x + 160]))
    audio = folder / "words.wav"
    time = np.arange(round(seconds * 16000)) / 16000
    voice = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 15)) * (
        0.55 - 0.45 * np.cos(8 * np.pi * time)
    )
    with wave.open(str(audio), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.clip(0.12 * voice, -1, 1) * 32767).astype("<i2").tobytes())
    return photo, video, audio
