"""The command; see the package."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch
from benchmarks import learned_watermark
from benchmarks.learned_watermark import measure, train
from benchmarks.watermark.hosts import HOSTS


def main() -> None:
    """Train, measure or report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learned_watermark",
        description=learned_watermark.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("train", "measure", "cost", "picture", "report"))
    parser.add_argument("--out", type=Path, default=Path("runs/learned-watermark"))
    parser.add_argument("--data", type=Path, help="prepared dataset to train on")
    parser.add_argument("--cpu-minutes", type=float, default=20, help="processor time to train for")
    parser.add_argument(
        "--shipped", type=Path, default=Path("runs/watermark"), help="what watermark.py wrote"
    )
    parser.add_argument("--limit", type=int, default=33, help="hosts to try in all")
    parser.add_argument(
        "--hosts", nargs="+", choices=tuple(HOSTS), default=tuple(HOSTS), help="only these kinds"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if options.what == "train":
        if options.data is None:
            parser.error("train needs --data")
        train.train(options.data, options.out, options.cpu_minutes)
    elif options.what == "measure":
        measure.measure(options.out, options.limit, options.hosts)
    elif options.what == "cost":
        measure.cost(options.out)
    elif options.what == "picture":
        measure.picture(options.out)
    else:
        measure.report(options.out, options.shipped)


if __name__ == "__main__":
    main()
