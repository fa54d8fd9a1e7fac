"""``make bench``: measure parts and write them to docs/reports/performance.md and results.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

from benchmarks.speed import networks, scaling
from benchmarks.speed.parts import CURVES, PARTS, ROOT, Bench, Rows, say

RESULTS, PAGE = ROOT / "benchmarks" / "results.json", ROOT / "docs" / "reports" / "performance.md"
BEGIN, END = "<!-- begin: make bench -->", "<!-- end: make bench -->"
#: Units of the processor that decide how fast networks are, by Linux's names.
FLAGS = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "bf16",
)


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    first = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    model = first.get("model name") or platform.processor() or platform.machine()
    flags = first.get("flags", first.get("Features", "")).split()
    return {
        "cpu": model,
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = []
    for part, result in results.items():
        facts = result["machine"]
        description = " ".join((PARTS[part].__doc__ or "").split()).rstrip(".")
        lines += [
            f"### {description}",
            "",
            f"`make bench PARTS={part}`, {facts['date']} UTC, {facts['cpu']}"
            f"{' with ' + ' '.join(facts['flags']) if facts.get('flags') else ''}, "
            f"{facts['cores']} cores, load "
            f"{facts['load']} when it began (what other programs wanted); medians of "
            f"{result['rows'][0]['rounds']} interleaved runs.",
            "",
        ]
        lines += networks.table(result["rows"]) if part == "networks" else _table(result["rows"])
        if part == "threads" and "networks" in results:
            calculated = scaling.expected(result["rows"], results["networks"]["rows"])
            lines += ["", calculated] if calculated else []
        if part == "length" and CURVES.exists():
            lines += ["", f"![Memory over the run](../images/{CURVES.name})"]
        lines.append("")
    return "\n".join(_wrapped(line) for line in lines)


def _wrapped(line: str) -> str:
    """The line in lines of at most 120 columns, but for tables, headings and pictures."""
    return line if line.startswith(("|", "#", "!")) else textwrap.fill(line, 120)


def _table(rows: Rows) -> list[str]:
    lines = [
        "| what | frames | frames a second | ratio | CPU ms a frame | ratio | peak memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    first = rows[0]
    for row in rows:
        fps, memory = row.get("fps"), row.get("peak_mb")
        cells = [
            row["what"],
            str(row.get("frames", "")),
            "" if fps is None else f"{fps:.1f}",
            "" if fps is None else f"{fps / first['fps']:.2f}",
            f"{row['cpu_ms_per_frame']:.1f}",
            f"{row['cpu_ms_per_frame'] / first['cpu_ms_per_frame']:.2f}",
            "" if memory is None else f"{memory:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if first.get("stages_ms"):
        stages = ", ".join(f"{stage} {value:g}" for stage, value in first["stages_ms"].items())
        lines += [
            "",
            f"Stages of '{first['what']}' in ms a frame on the clock; they overlap: {stages}.",
        ]
    return lines


def main() -> None:
    """Measure, and put the results where they are kept; parts that were not measured stay as they
    are.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=[], help=f"of {', '.join(PARTS)}; all of them if none is named"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="length of the clip where nothing else is said"
    )
    parser.add_argument("--target", type=Path, default=ROOT / "demo" / "target.mp4")
    parser.add_argument("--source", type=Path, default=ROOT / "demo" / "source.jpg")
    parser.add_argument("--audio", type=Path, default=ROOT / "demo" / "speech.opus")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="swaptalk-bench-") as folder:
        bench = Bench(
            Path(folder),
            options.target,
            options.source,
            options.audio,
            options.rounds,
            options.seconds,
        )
        for part in options.parts or PARTS:
            say(f"{part}:")
            facts = machine()
            results[part] = {"machine": facts, "rows": PARTS[part](bench)}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            before, _, rest = PAGE.read_text().partition(BEGIN)
            PAGE.write_text(f"{before}{BEGIN}\n\n{table(results)}{END}{rest.partition(END)[2]}")
    print(table({part: results[part] for part in options.parts or PARTS}))


if __name__ == "__main__":
    main()
