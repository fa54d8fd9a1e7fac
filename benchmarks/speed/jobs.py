"""Runs `swaptalk` as a user does, in a process of its own, and says what it took."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.target import resized

#: Verbs that make something else than one video.
WITHOUT_STATS = ("template", "batch")
#: Modules are compiled when they are first imported, as an installation does, whatever is set here.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
#: Frames a second of clips.
RATE = 25
#: Seconds between two looks at a running program's memory.
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    seconds: float
    """On the clock, start of the program included."""
    cpu_seconds: float
    """Of all cores, programs it started included: what other work on the machine changes least."""
    report: dict[str, Any]
    """What ``--stats`` wrote."""
    memory: list[tuple[float, float]]
    """Seconds since the start and resident MB of the program and those it started, on Linux."""


def run(verb: str, stats: Path, *arguments: str) -> Run:
    """Run a verb with options; fails with what it said."""
    command = [sys.executable, "-m", "swaptalk.cli", verb, *arguments, "--quiet"]
    if verb not in WITHOUT_STATS:
        command += ["--stats", str(stats)]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    memory = []
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=ENVIRONMENT)
        while process.poll() is None:
            memory.append(
                (round(time.perf_counter() - begun, 1), round(_resident(process.pid) / 1e6, 1))
            )
            try:
                process.wait(SAMPLE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{said.read().decode()}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, {} if verb in WITHOUT_STATS else json.loads(stats.read_text()), memory)


def _resident(process: int) -> int:
    """Bytes of a process and its children, shared pages of the decoder's pictures counted in both;
    0 where unknown.
    """
    folder = Path("/proc") / str(process)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = [
            child
            for task in (folder / "task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize() + sum(_resident(int(child)) for child in children)


def widened(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mirror a frame's sides outwards until it is 16:9; wider frames stay as they are."""
    margin = max(0, (frame.shape[0] * 16 // 9 - frame.shape[1]) // 2)
    return np.pad(frame, ((0, 0), (margin, margin), (0, 0)), mode="reflect")


def clip(
    source: Path, folder: Path, seconds: float, height: int | None = None, fps: int = RATE
) -> Path:
    """Write the source's frames, played back and forth, as a 16:9 clip; made once.

    Args:
        source: video.
        folder: where the clip is kept.
        seconds: length of the clip.
        height: of its frames in pixels; None keeps the source's.
        fps: frames a second; frames are neither dropped nor repeated for it.
    """
    path = folder / f"clip-{seconds:g}s-{height or 'own'}p-{fps}fps.mp4"
    if path.exists():
        return path
    with VideoReader(source) as video:
        high = video.height if height is None else height
        wide = round(max(video.width, video.height * 16 / 9) * high / video.height / 2) * 2
        count, length = max(1, round(seconds * fps)), len(video)
        order = [
            min(phase, 2 * length - 2 - phase)
            for phase in (n % (2 * length - 2) for n in range(count))
        ]
        part = path.with_suffix(".part.mp4")
        with VideoWriter(part, wide, high, fps, preset="superfast") as writer:
            for frame in video.frames(order):
                writer.write(resized(widened(frame), wide, high))
    part.replace(path)
    return path
