"""Disturb renders at random moments and check what is left.

    python benchmarks/faults.py --report runs/faults.md

Every render is the real command in its own process, for a small video of a few chunks. It is killed
(kill -9), its disk fills up, its target changes, its clock jumps, its cache cannot be written, or
another process uses the same files. Afterwards nothing may be half-written, each message is one
line, and ``--resume`` gives the same video. Disks of their own (tmpfs) need root; without it those
cases are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def killed(bench: Bench, count: int) -> None:
    """Kill -9 at random moments after a random number of chunks, then --resume."""
    fault = "kill -9, then --resume"
    for number in range(count):
        output = bench.folder / f"killed{number}.mp4"
        process = bench.start(output)
        _wait_for_chunks(process, output, bench.random.randrange(CHUNKS))
        try:
            process.wait(bench.random.uniform(0, 0.3) * bench.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        chunks = len(list(output.parent.glob(f"{output.name}.job/chunks/*.mp4")))
        if process.returncode == 0:
            bench.tally.add(fault, "had finished already")
            output.unlink()
            continue
        # A part may lie there after kill -9, under its own name; the output itself may not.
        bench.tally.check(fault, not output.exists(), "a killed render left an output")
        bench.finished(fault, output)
        bench.tally.add(fault, f"identical after {chunks} finished chunks")


def _wait_for_chunks(process: subprocess.Popen[str], output: Path, count: int) -> None:
    """Return when so many chunks are finished: by time alone most kills would hit the start of the
    program.
    """
    while (
        process.poll() is None
        and len(list(output.parent.glob(f"{output.name}.job/chunks/*.mp4"))) < count
    ):
        time.sleep(0.05)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def disk_full(bench: Bench, count: int) -> None:
    """Fill the disk at random moments, then make room and --resume."""
    fault = "disk full, then room and --resume"
    for number in range(count):
        with small_disk(bench.folder / f"disk{number}", 160) as disk:
            output, ballast = disk / "out.mp4", disk / "ballast"
            process = bench.start(output)
            try:
                process.wait(bench.moment())
            except subprocess.TimeoutExpired:
                _fill(ballast, spare=bench.random.choice([0, 4096, 65536]))
            _, stderr = process.communicate(timeout=TIMEOUT)
            if process.returncode == 0:
                bench.tally.check(
                    fault, content(output) == bench.expected, "a render on a full disk is not whole"
                )
                bench.tally.add(fault, "fitted in nevertheless")
                continue
            said = bench.one_line(fault, stderr)
            known = any(words in said for words in ("disk is full", "are free", "No space left"))
            bench.tally.check(fault, known, f"said {said!r}")
            bench.untouched(fault, output)
            ballast.unlink(missing_ok=True)
            bench.finished(fault, output)
            bench.tally.add(fault, "one line, and identical")


def _fill(ballast: Path, spare: int) -> None:
    with ballast.open("wb", buffering=0) as file:
        block = bytes(1 << 20)
        while block:
            try:
                if file.write(block) < len(block):
                    raise OSError
            except OSError:
                block = block[: len(block) // 2]
        if spare:
            file.truncate(max(0, file.tell() - spare))


def target_changes(bench: Bench, count: int) -> None:
    """Write into the target, or put another file in its place, at random moments."""
    fault = "target changes during the render"
    for number in range(count):
        output, target = (
            bench.folder / f"changed{number}.mp4",
            bench.folder / f"changing{number}.mp4",
        )
        shutil.copy(bench.target, target)
        process = bench.start(output, target=target)
        try:
            process.wait(bench.moment())
            changed = False
        except subprocess.TimeoutExpired:
            changed = True
            if number % 2:
                data = bytearray(target.read_bytes())
                data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
                target.write_bytes(data)
            else:
                shutil.copy(bench.folder / "reference.mp4", target.with_suffix(".new"))
                target.with_suffix(".new").replace(target)
        _, stderr = process.communicate(timeout=TIMEOUT)
        if process.returncode == 0:
            same = content(output) == bench.expected
            bench.tally.add(
                fault, "all was read before" if same or not changed else "made from the new file"
            )
            output.unlink()
        else:
            said = bench.one_line(fault, stderr)
            bench.untouched(fault, output)
            bench.tally.add(
                fault, "refused: changed" if "changed while" in said else "refused: unreadable"
            )
        shutil.rmtree(output.with_name(output.name + ".job"), ignore_errors=True)


#: Loaded by every Python process of a render: the wall clock leaps by days, forwards and backwards.
_JUMPING_CLOCK = """
import random, time
_real, _random = time.time, random.Random(0)
time.time = lambda: _real() + _random.choice([-1, 0, 1]) * 3 * 86400
"""


def clock_jumps(bench: Bench, count: int) -> None:
    """Let the wall clock leap by days at every look."""
    fault = "clock jumps by days"
    folder = bench.folder / "clock"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_JUMPING_CLOCK)
    for number in range(count):
        output = bench.folder / f"clock{number}.mp4"
        result = bench.run(output, PYTHONPATH=str(folder))
        if bench.tally.check(fault, result.returncode == 0, result.stderr):
            bench.tally.check(fault, content(output) == bench.expected, "the video differs")
            bench.tally.add(fault, "identical")


def cache_read_only(bench: Bench, count: int) -> None:
    """A cache that cannot be written: fine if all is in it, one line if not."""
    fault = "read-only cache"
    from swaptalk.assets.catalogue import catalogue, pull

    for number in range(count):
        with small_disk(bench.folder / "cache", 64) as cache:
            (cache / "models").mkdir()
            if number % 2 == 0:
                pull(catalogue("run-time"), cache / "models", progress=False)
            subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
            output = bench.folder / "cached.mp4"
            result = bench.run(output, SWAPTALK_CACHE_DIR=str(cache))
            if number % 2 == 0:
                bench.tally.check(
                    fault, result.returncode == 0, f"with all files: {result.stderr!r}"
                )
                bench.tally.add(fault, "with all files: renders")
                output.unlink(missing_ok=True)
            else:
                said = bench.one_line(fault, result.stderr)
                bench.tally.check(fault, "cannot store model files here" in said, f"said {said!r}")
                bench.untouched(fault, output)
                bench.tally.add(fault, "empty: one line")


def two_at_once(bench: Bench, count: int) -> None:
    """Two renders with one cache, and two that want the same output."""
    fault = "two processes"
    for number in range(count):
        outputs = [bench.folder / f"two{number}a.mp4", bench.folder / f"two{number}b.mp4"]
        running = [bench.start(output) for output in outputs]
        results = [process.communicate(timeout=TIMEOUT)[1] for process in running]
        for process, output, stderr in zip(running, outputs, results, strict=True):
            if bench.tally.check(fault, process.returncode == 0, stderr):
                bench.tally.check(fault, content(output) == bench.expected, "the video differs")
        bench.tally.add(fault, "one cache: both identical")
        output = bench.folder / f"same{number}.mp4"
        running = [bench.start(output) for _ in range(2)]
        results = [process.communicate(timeout=TIMEOUT)[1] for process in running]
        codes = sorted(process.returncode for process in running)
        said = " ".join(results)
        good = codes == [0, 2] and "another SwapTalk is working" in said
        # The slower one may also come when the faster has already finished.
        bench.tally.check(fault, good or codes == [0, 0], f"codes {codes}, said {said!r}")
        bench.tally.check(fault, content(output) == bench.expected, "the contested video differs")
        bench.tally.add(
            fault,
            "one output: one renders, the other says so" if good else "one output: one after other",
        )


def report(tally: Tally, seconds: float) -> str:
    """The counts as Markdown."""
    lines = ["| fault | outcome | times |", "|---|---|---|"]
    lines += [
        f"| {fault} | {outcome} | {count} |"
        for fault, counts in tally.outcomes.items()
        for outcome, count in sorted(counts.items())
    ]
    lines += ["", f"An undisturbed render took {seconds:.1f} s. Failures: {len(tally.failures)}."]
    return "\n".join([*lines, *(f"- {failure}" for failure in tally.failures)]) + "\n"


def main() -> int:
    """Run all faults; the exit code is 1 if anything was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--fills", type=int, default=10)
    parser.add_argument("--others", type=int, default=4, help="of every other fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, help="Markdown file to write the counts to")
    options = parser.parse_args()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="swaptalk-faults-") as folder:
        bench = Bench(Path(folder), options.seed)
        cases: list[tuple[Callable[[Bench, int], None], int, bool]] = [
            (killed, options.kills, True),
            (disk_full, options.fills, root),
            (target_changes, options.others, True),
            (clock_jumps, options.others, True),
            (cache_read_only, options.others, root),
            (two_at_once, options.others, True),
        ]
        for case, count, possible in cases:
            if not possible:
                print(f"{case.__name__}: left out, needs root", file=sys.stderr)
                continue
            case(bench, count)
            print(report(bench.tally, bench.seconds), file=sys.stderr)
    text = report(bench.tally, bench.seconds)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(f"# Faults\n\nMade by `python benchmarks/faults.py`.\n\n{text}")
    return 1 if bench.tally.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
