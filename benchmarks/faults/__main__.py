"""Disturb renders at random moments and check what is left.

    python -m benchmarks.faults --report runs/faults.md

Every render is the real command in its own process, for a small video of a few chunks. It is killed
(kill -9), its disk fills up, its target changes, its clock jumps, its cache cannot be written, or
another process uses the same files. Afterwards nothing may be half-written, each message is one
line, and ``--resume`` gives the same video. Disks of their own (tmpfs) need root; without it those
cases are left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.bench import Bench, Tally
from benchmarks.faults.cases import (
    cache_read_only,
    clock_jumps,
    disk_full,
    killed,
    target_changes,
    two_at_once,
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
        options.report.write_text(f"# Faults\n\nMade by `python -m benchmarks.faults`.\n\n{text}")
    return 1 if bench.tally.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
