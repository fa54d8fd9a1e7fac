"""Mutate good files and check how the program reads them: ``make fuzz MINUTES=60``.

Hypothesis chooses the mutations and shrinks what fails. Each file is read in a process of its own;
it must be read, or refused in one line. A crash, a traceback, or exceeding the limits of time or
memory fails.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from kinds import KINDS

#: Seconds that a file of a second may take on a busy machine, of which the decoding process may
#: take ten to answer.
CASE_SECONDS, DECODER_SECONDS = 60, 10
#: Resident bytes of the reading process: an image of 89 megapixels, with alpha and a copy, is 1.1
#: GB.
MAX_MEMORY = 1500 << 20
#: Resident bytes of the decoding process, whose own limit is on private memory, in MB.
MAX_DECODER, DECODER_MB = 700 << 20, 512
#: Mutations of one file.
MOST_MUTATIONS = 6
#: Examples of a kind between two looks at the clock.
EXAMPLES = 12
#: What breaks parsers of binary formats: ends of the ranges of integers, and the magic words of
#: other formats.
NASTY = [
    b"\xff" * 4,
    b"\x00" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x00\x01",
    b"\xff" * 8,
    b"\x01",
    b"#EXTM3U\n",
    b"ffconcat version 1.0\n",
    b"moov",
    b"trak",
    b"\x1a\x45\xdf\xa3",
    b"IDAT",
    b"\xff\xd8\xff",
    b'{"',
    b"[" * 3000,
    b"NaN",
    b"1e999",
    b"\n",
    b",",
    b'"',
    b"../",
    b"file:/etc/passwd",
    b"\xed\xa0\x80",
]

Mutation = tuple[str, float, float, bytes]
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "insert", "delete", "repeat", "cut", "flip", "head"]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.one_of(st.sampled_from(NASTY), st.binary(min_size=1, max_size=12)),
    ),
    min_size=1,
    max_size=MOST_MUTATIONS,
)


def mutate(data: bytes, mutations: list[Mutation]) -> bytes:
    """Apply mutations to a file."""
    changed = bytearray(data)
    for how, where, much, what in mutations:
        at = int(where * len(changed))
        span = 1 + int(much * much * len(changed) / 4)
        if how == "head":  # most formats are decided in their first bytes
            at, how = int(where * min(256, len(changed))), "set"
        if how == "set":
            changed[at : at + len(what)] = what
        elif how == "insert":
            changed[at:at] = what
        elif how == "delete":
            del changed[at : at + span]
        elif how == "repeat":
            changed[at:at] = changed[at : at + span]
        elif how == "cut":
            del changed[at:]
        elif at < len(changed):
            changed[at] ^= 1 << int(much * 7.99)
    return bytes(changed)


@dataclass
class Counts:
    """What happened, by kind, and the extremes."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    slowest: float = 0.0
    memory: int = 0
    decoder: int = 0
    late: int = 0
    """Files that took too long once but not when they were read again: the machine was busy, not
    the program."""
    failures: list[str] = field(default_factory=list)


class Fuzzer:
    """Runs kinds against the reading process.

    Args:
        folder: for files; those that fail stay in ``failures`` there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.counts = folder, Counts()
        self._good: dict[str, bytes] = {}
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Fuzzer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def good(self, kind: str) -> bytes:
        """A file of that kind that is read without complaint."""
        if kind not in self._good:
            path = self.folder / f"good{KINDS[kind].suffix}"
            KINDS[kind].make(path)
            self._good[kind] = path.read_bytes()
            answer = self.ask(kind, path)
            assert answer["outcome"] == "read", f"the good {kind} is not read: {answer['words']}"
        return self._good[kind]

    def ask(self, kind: str, path: Path) -> dict[str, Any]:
        """Let the reading process read a file."""
        if self.process is None:
            limits = {
                "SWAPTALK_DECODER_SECONDS": str(DECODER_SECONDS),
                "SWAPTALK_DECODER_MEMORY_MB": str(DECODER_MB),
            }
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py"))],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **limits},
            )
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(f"{kind}\t{path}\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died since; that shows below
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(CASE_SECONDS) else "hang"
        if line.startswith("{"):
            return dict(json.loads(line))
        self._end()
        return {
            "outcome": "hang" if line else "crash",
            "words": f"exit code {process.returncode}",
            "seconds": 0.0,
        }

    def check(self, kind: str, mutations: list[Mutation]) -> None:
        """Mutate a good file and have it read."""
        path = self.folder / f"mutated{KINDS[kind].suffix}"
        path.write_bytes(mutate(self.good(kind), mutations))
        answer = self.ask(kind, path)
        counts = self.counts
        if answer["outcome"] == "hang":
            answer = self.ask(kind, path)
            counts.late += answer["outcome"] != "hang"
        counts.slowest = max(counts.slowest, answer["seconds"])
        counts.memory = max(counts.memory, answer.get("memory", 0))
        counts.decoder = max(counts.decoder, answer.get("decoder", 0))
        outcome = answer["outcome"]
        if outcome != "crash" and (
            answer.get("memory", 0) > MAX_MEMORY or answer.get("decoder", 0) > MAX_DECODER
        ):
            outcome = "memory"
            self._end()
        counts.outcomes.setdefault(kind, Counter())[outcome] += 1
        assert outcome in ("read", "refused", "crash contained"), f"{outcome}: {answer['words']}"

    def round(self, kind: str, number: int, examples: int = EXAMPLES) -> None:
        """So many mutated files of a kind; what fails is shrunk, kept and noted."""

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(MUTATIONS)
        def examine(mutations: list[Mutation]) -> None:
            self.check(kind, mutations)

        try:
            examine()
        # What does not happen again when the file is shrunk is a finding all the same, and no end
        # of the fuzzing.
        except (AssertionError, Flaky) as error:
            kept = self.folder / "failures"
            kept.mkdir(exist_ok=True)
            path = self.folder / f"mutated{KINDS[kind].suffix}"
            copy = kept / f"{kind.replace(' ', '_')}-{number}{path.suffix}"
            copy.write_bytes(path.read_bytes())
            again = ", not every time" if isinstance(error, Flaky) else ""
            self.counts.failures.append(f"{kind}, round {number} ({copy}){again}: {error}")

    def run(self, seconds: float, first: int = 0, kinds: Iterable[str] = tuple(KINDS)) -> None:
        """Go round the kinds until the time is up."""
        end, number = time.monotonic() + seconds, first
        while time.monotonic() < end:
            for kind in kinds:
                self.round(kind, number)
                if time.monotonic() >= end:
                    return
            number += 1
            print(
                f"round {number - first}, {sum(c.total() for c in self.counts.outcomes.values())} "
                "files, "
                f"{len(self.counts.failures)} failures",
                file=sys.stderr,
                flush=True,
            )

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def report(self) -> str:
        """The counts as Markdown."""
        names = ["read", "refused", "crash contained", "wrong", "crash", "hang", "memory"]
        lines = ["| kind | files | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
        total: Counter[str] = Counter()
        for kind, counts in self.counts.outcomes.items():
            total.update(counts)
            lines.append(
                f"| {kind} | {counts.total()} | "
                + " | ".join(str(counts[name]) for name in names)
                + " |"
            )
        lines.append(
            f"| **all** | {total.total()} | "
            + " | ".join(str(total[name]) for name in names)
            + " |"
        )
        lines += [
            "",
            f"Slowest file: {self.counts.slowest:.1f} s. Most memory: {self.counts.memory >> 20} "
            "MB in the program, "
            f"{self.counts.decoder >> 20} MB in decoding processes. Too late once, but not when "
            "read again: "
            f"{self.counts.late}.",
        ]
        return "\n".join(lines) + "\n"


def main() -> int:
    """Fuzz for so many minutes; the exit code is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="number of the first round")
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=tuple(KINDS),
        default=tuple(KINDS),
        metavar="KIND",
        help="only these: " + ", ".join(KINDS),
    )
    parser.add_argument(
        "--failures", type=Path, default=Path("fuzz-failures"), help="folder for files that fail"
    )
    parser.add_argument("--report", type=Path, help="Markdown file to write the counts to")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="swaptalk-fuzz-") as folder,
        Fuzzer(Path(folder)) as fuzzer,
    ):
        fuzzer.run(options.minutes * 60, options.seed, options.kinds)
        for failed in (Path(folder) / "failures").glob("*"):
            options.failures.mkdir(exist_ok=True)
            (options.failures / failed.name).write_bytes(failed.read_bytes())
    print(fuzzer.report())
    for failure in fuzzer.counts.failures:
        print(failure)
    if options.report:
        heading = f"# Fuzzing\n\nMade by `make fuzz MINUTES={options.minutes:g}`.\n\n"
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(heading + fuzzer.report())
    return 1 if fuzzer.counts.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
