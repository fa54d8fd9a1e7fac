"""Measure the invisible watermark: what it survives, false alarms, cost.

    python -m benchmarks.watermark robustness --out runs/watermark  # repeat it for more hosts
    python -m benchmarks.watermark false-alarms --out runs/watermark --cpu-seconds 300
    python -m benchmarks.watermark cost
    python -m benchmarks.watermark report --out runs/watermark      # the tables

Hosts are the demo's clip (960 x 720) and, where ``SWAPTALK_SHARED`` (default ``../shared`` beside
the repository) has them, portraits under a drifting camera (640 x 480) and small clips of real
speech (at most 320 x 320).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
from benchmarks.watermark.hosts import HOSTS
from benchmarks.watermark.measure import cost, false_alarms, robustness
from benchmarks.watermark.report import report


def main() -> None:
    """Measure or report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("robustness", "false-alarms", "cost", "report"))
    parser.add_argument("--out", type=Path, default=Path("runs/watermark"))
    parser.add_argument("--limit", type=int, default=33, help="hosts to try in all")
    parser.add_argument(
        "--hosts", nargs="+", choices=tuple(HOSTS), default=tuple(HOSTS), help="only these kinds"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="pairs of jobs of which the cost is measured"
    )
    parser.add_argument("--cpu-seconds", type=float, default=600)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    if options.what == "robustness":
        robustness(options.out, options.limit, options.hosts)
    elif options.what == "false-alarms":
        false_alarms(options.out, options.cpu_seconds)
    elif options.what == "cost":
        cost(seconds=3, rounds=options.rounds)
    else:
        report(options.out)


if __name__ == "__main__":
    main()
