"""The parts of the measurement, one function each; their first lines are the headings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.jobs import RATE, Run, clip, run

ROOT = Path(__file__).parents[2]
CURVES = ROOT / "docs" / "images" / "memory.png"
#: Rows: what was done, frames, frames a second, CPU seconds a frame, peak memory in MB, ratio to
#: the part's first row.
Rows = list[dict[str, Any]]


class Bench:
    """What all parts share: inputs and the number of rounds."""

    def __init__(
        self, folder: Path, target: Path, source: Path, audio: Path, rounds: int, seconds: float
    ) -> None:
        self.folder, self.target, self.source, self.audio = folder, target, source, audio
        self.rounds, self.seconds = rounds, seconds

    def generate(self, target: Path, *more: str, verb: str = "generate") -> Run:
        """A whole video of the target's length."""
        arguments = ["--target", str(target), "--output", str(self.folder / "out.mp4"), *more]
        if verb != "sync":
            arguments += ["--source", str(self.source)]
        if verb != "swap":
            arguments += ["--audio", str(self.audio), "--length", "video"]
        return run(verb, self.folder / "stats.json", *arguments)

    def compare(self, cases: dict[str, Callable[[], list[Run]]]) -> Rows:
        """Medians of interleaved rounds; a case may consist of several runs, one after the
        other.
        """
        taken: dict[str, list[list[Run]]] = {name: [] for name in cases}
        for number in range(self.rounds):
            for name, case in cases.items():
                say(f"  {name}, round {number + 1} of {self.rounds}")
                taken[name].append(case())
        return [_row(name, rounds) for name, rounds in taken.items()]


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def _row(name: str, rounds: list[list[Run]]) -> dict[str, Any]:
    frames, stages = rounds[0][-1].report["frames"], rounds[-1][-1].report["stages"]
    return {
        "what": name,
        "frames": frames,
        "rounds": len(rounds),
        "fps": median(frames / sum(one.seconds for one in runs) for runs in rounds),
        "cpu_ms_per_frame": median(
            1000 * sum(one.cpu_seconds for one in runs) / frames for runs in rounds
        ),
        "peak_mb": max(one.report["peak_memory_bytes"] for runs in rounds for one in runs) / 1e6,
        "stages_ms": {
            stage: round(1000 * seconds / frames, 2) for stage, seconds in stages.items()
        },
    }


def _measured_by(module: str, rounds: int) -> Any:
    """What a measurement in a process of its own prints: libraries of networks do not share one
    well.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.speed.{module}", "--rounds", str(rounds)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def part_pipeline(bench: Bench) -> Rows:
    """The three verbs on the target as it is."""
    target = clip(bench.target, bench.folder, bench.seconds)

    def once(verb: str) -> list[Run]:
        return [bench.generate(target, verb=verb)]

    return bench.compare({verb: partial(once, verb) for verb in ("generate", "swap", "sync")})


def part_template(bench: Bench) -> Rows:
    """With and without a template of the target, and with one that has the source built in."""
    target = clip(bench.target, bench.folder, bench.seconds)
    plain, whole = bench.folder / "T.swaptalk", bench.folder / "S.swaptalk"
    for template, more in ((plain, []), (whole, ["--source", str(bench.source)])):
        run("template", bench.folder / "none", "build", str(target), "-o", str(template), *more)
    return bench.compare(
        {
            "from the video": lambda: [bench.generate(target)],
            "from its template": lambda: [bench.generate(plain)],
            "from its template with the source built in": lambda: [bench.generate(whole)],
        }
    )


def part_cascade(bench: Bench) -> Rows:
    """Both at once in latent space against the same modules one after the other, with a video in
    between.
    """
    target, between = clip(bench.target, bench.folder, bench.seconds), bench.folder / "between.mp4"

    def cascade() -> list[Run]:
        first = run(
            "swap",
            bench.folder / "stats.json",
            "--target",
            str(target),
            "--source",
            str(bench.source),
            "--output",
            str(between),
        )
        return [first, bench.generate(between, verb="sync")]

    return bench.compare(
        {
            "swap and lip-sync in latent space": lambda: [bench.generate(target)],
            "own modules as an RGB cascade": cascade,
        }
    )


def part_peers(bench: Bench) -> Rows:
    """Networks of published shapes on frames of the target's size: nothing of their decoding,
    pasting or encoding.
    """
    own = bench.compare(
        {
            "SwapTalk, from file to file": lambda: [
                bench.generate(clip(bench.target, bench.folder, bench.seconds))
            ]
        }
    )
    taken = {name: median(values) for name, values in _measured_by("peers", bench.rounds).items()}
    rows = [
        {"what": f"{name}: network alone", "rounds": bench.rounds, "cpu_ms_per_frame": value}
        for name, value in taken.items()
    ]
    totals = {"those three in PyTorch fp32": False, "those three in OpenVINO bf16": True}
    together = [
        {
            "what": name,
            "rounds": bench.rounds,
            "cpu_ms_per_frame": sum(
                value for what, value in taken.items() if ("OpenVINO" in what) == own_engine
            ),
        }
        for name, own_engine in totals.items()
    ]
    return [*own, *rows, *together]


def part_length(bench: Bench) -> Rows:
    """The same scene for 10 s, 1 min and 10 min, at 5 frames a second; the plot shows the memory of
    each.
    """
    from benchmarks.speed.memory import plot  # only here: the others need no matplotlib

    curves: dict[str, list[tuple[float, float]]] = {}

    def case(name: str, seconds: float) -> list[Run]:
        done = bench.generate(clip(bench.target, bench.folder, seconds, 360, 5), "--allow-long")
        curves[name] = done.memory
        return [done]

    rows = bench.compare(
        {
            name: partial(case, name, seconds)
            for name, seconds in (("10 s", 10.0), ("1 min", 60.0), ("10 min", 600.0))
        }
    )
    plot(curves, CURVES)
    return rows


def part_faces(bench: Bench) -> Rows:
    """What is done with a face beside the networks, on one core; the quickest round counts."""
    rows: Rows = _measured_by("faces", bench.rounds)
    return rows


def part_networks(bench: Bench) -> Rows:
    """Our networks by engine and precision, in milliseconds a frame."""
    return _measured_by("networks", bench.rounds)


def part_resolution(bench: Bench) -> Rows:
    """480p to 2160p."""
    seconds = min(bench.seconds, 2.0)

    def once(height: int) -> list[Run]:
        return [bench.generate(clip(bench.target, bench.folder, seconds, height))]

    return bench.compare({f"{height}p": partial(once, height) for height in (480, 720, 1080, 2160)})


def part_threads(bench: Bench) -> Rows:
    """Threads of the networks; decoding and encoding run beside them."""
    target = clip(bench.target, bench.folder, bench.seconds)
    counts = [count for count in (1, 2, 4, 8, 16) if count <= (os.cpu_count() or 1)]

    def once(count: int) -> list[Run]:
        return [bench.generate(target, "--threads", str(count))]

    return bench.compare({f"{count} threads": partial(once, count) for count in counts})


def part_batch(bench: Bench) -> Rows:
    """Rows of one batch that share their target: all frames of all rows, the compiling of the
    target included.
    """
    target = clip(bench.target, bench.folder, bench.seconds)

    def batch(rows: int, workers: int) -> list[Run]:
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            table = Path(folder) / "jobs.csv"
            lines = [
                f"{target},{bench.source},{bench.audio},video,{folder}/{row}.mp4"
                for row in range(rows)
            ]
            table.write_text("\n".join(["target,source,audio,length,output", *lines]) + "\n")
            done = run("batch", bench.folder / "none", str(table), "--workers", str(workers))
        report = {
            "frames": rows * round(bench.seconds * RATE),
            "stages": {},
            "peak_memory_bytes": 1e6 * max(memory for _, memory in done.memory),
        }
        return [replace(done, report=report)]

    def named(rows: int, workers: int) -> str:
        return f"{rows} row{'s' * (rows > 1)}, {workers} worker{'s' * (workers > 1)}"

    sizes = ((1, 1), (4, 1), (4, 2), (8, 1))
    return bench.compare({named(*size): partial(batch, *size) for size in sizes})


def part_startup(bench: Bench) -> Rows:
    """One frame: loading, and the first call of everything."""
    target = clip(bench.target, bench.folder, 0.04)
    return bench.compare({"a video of one frame": lambda: [bench.generate(target)]})


PARTS = {
    name.removeprefix("part_"): part
    for name, part in list(globals().items())
    if name.startswith("part_")
}
