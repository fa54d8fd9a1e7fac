"""The faults, one function each."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.bench import CHUNKS, TIMEOUT, Bench, content


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
