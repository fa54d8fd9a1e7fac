"""The inputs, the undisturbed render, and the checks of what a disturbed one leaves behind."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
import wave
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

from swaptalk.assets.catalogue import resolve
from swaptalk.media.image import read_image
from swaptalk.media.video_writer import VideoWriter

#: Two frames a second make a chunk of 20 frames, so that half a minute of speech has several.
FPS, SECONDS, SIZE, CHUNKS = 2, 32.0, (320, 240), 4
#: A render that takes longer than this hangs.
TIMEOUT = 600.0


@dataclass
class Tally:
    """What happened, by fault: counts of outcomes, and all that should not have been."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, fault: str, outcome: str) -> None:
        """Count an outcome, and say so: a run that is stopped early shows what it has seen."""
        print(f"{fault}: {outcome}", file=sys.stderr, flush=True)
        self.outcomes.setdefault(fault, Counter())[outcome] += 1

    def check(self, fault: str, good: bool, what: str) -> bool:
        """Note a failure unless all is well."""
        if not good:
            self.failures.append(f"{fault}: {what}")
            print(self.failures[-1], file=sys.stderr, flush=True)
            self.add(fault, "FAILED")
        return good


class Bench:
    """The inputs, the command, and the video that an undisturbed render gives.

    Args:
        folder: for all files.
        seed: of the moments.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder, self.random, self.tally = folder, random.Random(seed), Tally()
        folder.mkdir(parents=True, exist_ok=True)
        self.source, self.target, self.audio = (
            resolve("astronaut"),
            folder / "target.mp4",
            folder / "words.wav",
        )
        self._make_inputs()
        begun = time.monotonic()
        result = self.run(folder / "reference.mp4")
        self.seconds = time.monotonic() - begun
        if result.returncode:
            raise SystemExit(f"the undisturbed render failed: {result.stderr}")
        self.expected = content(folder / "reference.mp4")

    def _make_inputs(self) -> None:
        portrait = cv2.resize(
            read_image(resolve("grace-hopper"))[20:380, 40:480], (SIZE[0] + 16, SIZE[1] + 16)
        )
        with VideoWriter(self.target, *SIZE, 25) as writer:
            for index in range(100):
                x, y = round(8 + 8 * np.sin(index / 9)), round(8 + 6 * np.cos(index / 11))
                writer.write(np.ascontiguousarray(portrait[y : y + SIZE[1], x : x + SIZE[0]]))
        t = np.arange(round(SECONDS * 16000)) / 16000
        tone = np.sum([np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 15)], axis=0)
        samples = 0.12 * tone * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * t))
        with wave.open(str(self.audio), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())

    def start(
        self,
        output: Path,
        *options: str,
        target: Path | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Begin a render."""
        command = [
            sys.executable,
            "-m",
            "swaptalk",
            "generate",
            "--source",
            str(self.source),
            "--target",
            str(target or self.target),
            "--audio",
            str(self.audio),
            "--output",
            str(output),
            "--fps",
            str(FPS),
            "--quiet",
            *options,
        ]
        paths = [environment.pop("PYTHONPATH", ""), *(path for path in sys.path if path)]
        return subprocess.Popen(
            command,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                **environment,
                "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            },
        )

    def run(
        self,
        output: Path,
        *options: str,
        target: Path | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Render to the end."""
        process = self.start(output, *options, target=target, **environment)
        stdout, stderr = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def moment(self) -> float:
        """A random moment of a render, in seconds from its beginning."""
        return self.random.uniform(0.05, 0.98) * self.seconds

    def finished(self, fault: str, output: Path) -> None:
        """Resume, and compare with the undisturbed render."""
        result = self.run(output, "--resume")
        if not self.tally.check(
            fault, result.returncode == 0, f"--resume ended with {result.stderr.strip()!r}"
        ):
            return
        self.tally.check(fault, content(output) == self.expected, "the resumed video differs")
        left = sorted(
            path.name for path in output.parent.iterdir() if path.name.startswith(output.name + ".")
        )
        self.tally.check(fault, not left, f"left behind: {left}")
        output.unlink()

    def one_line(self, fault: str, stderr: str) -> str:
        """The error among what was printed; it must be one line and no traceback."""
        errors = [line for line in stderr.splitlines() if line.startswith("swaptalk: error: ")]
        clean = len(errors) == 1 and all(
            line.startswith("swaptalk: ") for line in stderr.splitlines()
        )
        self.tally.check(fault, clean, f"printed {stderr!r}")
        return errors[0] if errors else ""

    def untouched(self, fault: str, output: Path) -> None:
        """No output, whole or half, may be there."""
        found = [
            path.name for path in (output, output.with_name(output.name + ".part")) if path.exists()
        ]
        self.tally.check(fault, not found, f"an interrupted render left {found}")


def content(video: Path) -> str:
    """Hash over all encoded pictures and sound with their times: what a viewer gets, without the
    file's own labels.
    """
    digest = hashlib.sha256()
    with av.open(str(video)) as container:
        for packet in container.demux():
            if packet.size:
                digest.update(
                    f"{packet.stream.index} {packet.pts} {packet.dts}".encode() + bytes(packet)
                )
    return digest.hexdigest()
