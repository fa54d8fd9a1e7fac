"""The tables of what was measured."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
from benchmarks.watermark.attacks import ATTACKS


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z = 1.959964
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def report(out: Path) -> None:
    """Print the tables."""
    lines = [json.loads(line) for line in (out / "robustness.jsonl").read_text().splitlines()]
    kinds = defaultdict(list)
    for line in lines:
        kinds[line["kind"]].append(line)
    for kind, rows in kinds.items():
        names = {row["host"]: row for row in rows}
        print(
            f"\n{kind}, {len(names)} hosts: PSNR "
            f"{np.mean([row['psnr'] for row in names.values()]):.1f} dB "
            f"(least {min(row['psnr'] for row in names.values()):.1f}), "
            f"SSIM {np.mean([row['ssim'] for row in names.values()]):.4f}\n"
        )
        print(
            "| attack | identifier read | 95 % interval | code bits right | pilot score, median |"
        )
        print("|---|---|---|---|---|")
        for attack in ATTACKS:
            tried = [row for row in rows if row["attack"] == attack]
            hits = sum(row["read"] for row in tried)
            low, high = wilson(hits, len(tried))
            print(
                f"| {attack} | {hits} of {len(tried)} | {low:.0%} to {high:.0%} | "
                f"{np.mean([row['bits'] for row in tried]):.1%} | "
                f"{np.median([row['score'] for row in tried]):.1f} |"
            )
    print(f"\nwrong identifiers in {len(lines)} readings: {sum(row['wrong'] for row in lines)}")
    if (out / "false-alarms.jsonl").exists():
        searches = [
            json.loads(line) for line in (out / "false-alarms.jsonl").read_text().splitlines()
        ]
        scores = np.array([row["score"] for row in searches])
        for what in ("read", "present"):
            hits = sum(row[what] for row in searches)
            print(
                f"{sum(row['frames'] for row in searches)} unmarked frames in {len(searches)} "
                f"clips, {what}: {hits}, "
                f"95 % interval up to {wilson(hits, len(searches))[1]:.2%} of clips"
            )
        print(
            f"pilot scores: median {np.median(scores):.2f}, 99.9 % "
            f"{np.quantile(scores, 0.999):.2f}, "
            f"greatest {scores.max():.2f}"
        )
