"""The report: table in the terminal, and ``report`` as ``.json``, ``.csv``, ``.tex``, ``.md`` and
``.html``.
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import math
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swaptalk.evaluation.report.cells import (
    PAPER_NOTE,
    PROTOCOL_TITLES,
    best_methods,
    cell_text,
    heading,
    row_label,
)
from swaptalk.evaluation.report.columns import PAPER_ROWS, Column, PaperRow
from swaptalk.evaluation.report.goals import Reached, goal_cells
from swaptalk.evaluation.report.summary import Summary, SummaryRow
from swaptalk.evaluation.run import Results
from swaptalk.storage.files import AtomicFile

#: Packages whose versions decide numbers.
_PACKAGES = (
    "swaptalk",
    "numpy",
    "torch",
    "opencv-python-headless",
    "av",
    "onnxruntime",
    "ai-edge-litert",
)


def environment(weights: Mapping[str, str], command: Sequence[str] | None = None) -> dict[str, Any]:
    """What a reader needs to repeat the run: versions, machine, SHA-256 of weights by name, and the
    command.
    """
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": shlex.join(["swaptalk", *sys.argv[1:]] if command is None else command),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": versions,
        "weights": dict(weights),
    }


def _paper_cell(paper: PaperRow, column: Column) -> str:
    return f"{paper.values[column.key]:.{column.digits}f}" if column.key in paper.values else "-"


def terminal_table(summary: Summary, width: int = 120) -> str:
    """The table as text; columns that do not fit into ``width`` characters continue in a block
    below.
    """
    blocks = []
    for protocol in dict.fromkeys(row.protocol for row in summary.rows):
        rows = [row for row in summary.rows if row.protocol == protocol]
        clips = max(row.clips for row in rows)
        blocks.append(f"{PROTOCOL_TITLES.get(protocol, protocol)}, {clips} clips")
        paper = [row for row in PAPER_ROWS if row.protocol == protocol]
        names = ["", *(row_label(row, rows) for row in rows), *(f"{p.method}*" for p in paper)]
        name_width = max(map(len, names))
        columns = [c for c in summary.columns if any(c.key in row.cells for row in rows)]
        while columns:
            cells: list[list[str]] = []
            used = name_width
            while columns:
                column = columns[0]
                text = [
                    heading(column),
                    *(cell_text(row.cells.get(column.key), column, True) for row in rows),
                ]
                text += [_paper_cell(p, column) for p in paper]
                wide = max(map(len, text))
                if cells and used + 2 + wide > width:
                    break
                cells.append([item.rjust(wide) for item in text])
                used += 2 + wide
                columns.pop(0)
            lines = [
                "  ".join([name.ljust(name_width), *parts])
                for name, *parts in zip(names, *cells, strict=True)
            ]
            known = len(rows) + 1
            shown = lines[:known]
            for line, parts in zip(
                lines[known:], zip(*(c[known:] for c in cells), strict=True), strict=True
            ):
                if any(part.strip() != "-" for part in parts):
                    shown.append(line)
            blocks.append("\n".join(line.rstrip() for line in shown))
    return "\n\n".join(blocks) + "\n\n" + "\n".join([PAPER_NOTE, *summary.notes, *summary.claims])


def as_json(
    summary: Summary, results: Results, about: Mapping[str, Any], goals: Sequence[Reached] = ()
) -> str:
    """Everything as JSON: table with intervals, values of every clip, what was skipped,
    environment.
    """

    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    def record(row: SummaryRow) -> dict[str, Any]:
        return {
            "protocol": row.protocol,
            "method": row.method,
            "clips": row.clips,
            "metrics": {
                key: {
                    "value": number(i.value),
                    "low": number(i.low),
                    "high": number(i.high),
                    "clips": i.count,
                }
                for key, i in row.cells.items()
            },
        }

    clips = [
        {
            "protocol": row.protocol,
            "method": row.method,
            "pair": pair,
            "metrics": {k: number(v) for k, v in measurement.values.items()},
            "series": measurement.series,
        }
        for row in results.methods
        for pair, measurement in row.results.items()
    ]
    content = {
        "clips_measured": len(results.pairs),
        "seconds_measured": results.seconds,
        "gallery_size": results.gallery_size,
        "goals": [_goal_record(line) for line in goals],
        "table": [record(row) for row in summary.rows],
        "languages": [{"language": row.language, **record(row)} for row in summary.languages],
        "claims": summary.claims,
        "notes": summary.notes,
        "columns": {
            c.key: {"title": c.title, "unit": c.unit, "better": c.better, "meaning": c.explanation}
            for c in summary.columns
        },
        "paper": [
            {"protocol": p.protocol, "method": p.method, "metrics": p.values} for p in PAPER_ROWS
        ],
        "paper_note": PAPER_NOTE,
        "clips": clips,
        "skipped": [{"what": what, "why": why} for what, why in results.skipped.items],
        "environment": dict(about),
    }
    return json.dumps(content, indent=1, allow_nan=False)


def _goal_record(line: Reached) -> dict[str, Any]:
    keys = line.goal.keys
    return {
        "what": line.goal.what,
        "floors": dict(zip(keys, line.goal.floors, strict=True)),
        "goals": dict(zip(keys, line.goal.goals, strict=True)),
        "state": line.state,
        "reached": {
            k: {"value": i.value, "low": i.low, "high": i.high, "count": i.count}
            for k, i in zip(keys, line.values, strict=True)
        },
    }


def goals_table(goals: Sequence[Reached]) -> str:
    """The goals and what was reached, as text; empty without goals."""
    rows = [("", "floor", "goal", "reached", ""), *(goal_cells(line) for line in goals)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines) if goals else ""


def as_csv(results: Results) -> str:
    """One line per protocol, method, pair and metric."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["protocol", "method", "pair", "metric", "value"])
    for row in results.methods:
        for pair, measurement in row.results.items():
            for key, value in sorted(measurement.values.items()):
                writer.writerow(
                    [
                        row.protocol,
                        row.method,
                        pair,
                        key,
                        f"{value:.6g}" if math.isfinite(value) else "",
                    ]
                )
    return output.getvalue()


def as_latex(summary: Summary) -> str:
    """The table for a paper (needs ``booktabs``); best values are bold, the paper's rows marked
    with a star.
    """
    columns = summary.columns
    lines = [
        r"\begin{tabular}{l" + "r" * len(columns) + "}",
        r"\toprule",
        " & ".join(["Method", *(_latex(heading(c)) for c in columns)]) + r" \\",
    ]
    for protocol in dict.fromkeys(row.protocol for row in summary.rows):
        rows = [row for row in summary.rows if row.protocol == protocol]
        title = PROTOCOL_TITLES.get(protocol, protocol)
        lines += [r"\midrule", rf"\multicolumn{{{len(columns) + 1}}}{{l}}{{{title}}} \\"]
        best = {column.key: best_methods(rows, column) for column in columns}
        for row in rows:
            cells = []
            for column in columns:
                text = cell_text(row.cells.get(column.key), column)
                cells.append(rf"\textbf{{{text}}}" if row.method in best[column.key] else text)
            lines.append(" & ".join([_latex(row_label(row, rows)), *cells]) + r" \\")
        for paper in (p for p in PAPER_ROWS if p.protocol == protocol):
            cells = [_paper_cell(paper, c) for c in columns]
            if any(cell != "-" for cell in cells):
                lines.append(" & ".join([_latex(paper.method) + r"$^*$", *cells]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", "% " + PAPER_NOTE]
    return "\n".join(lines) + "\n"


def _latex(text: str) -> str:
    escaped = re.sub(r"([&%$#_{}])", r"\\\1", text)
    return escaped.replace("↑", r"$\uparrow$").replace("↓", r"$\downarrow$")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with AtomicFile(path) as file:
        file.part.write_text(text, encoding="utf-8")


def write_report(
    folder: Path,
    summary: Summary,
    results: Results,
    about: Mapping[str, Any],
    videos: int = 4,
    goals: Sequence[Reached] = (),
) -> dict[str, Path]:
    """Write all forms of the report into a folder; ``videos`` pairs a protocol are shown side by
    side in the page.

    Returns:
        The files by form: json, csv, latex, markdown, html.
    """
    from swaptalk.evaluation.report.html import as_html
    from swaptalk.evaluation.report.markdown import as_markdown

    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "json": ("report.json", as_json(summary, results, about, goals)),
        "csv": ("report.csv", as_csv(results)),
        "latex": ("report.tex", as_latex(summary)),
        "markdown": (
            "report.md",
            as_markdown(summary, results, goals, str(about.get("command", ""))),
        ),
        "html": ("report.html", as_html(summary, results, about, folder, videos, goals)),
    }
    paths = {}
    for form, (name, text) in texts.items():
        paths[form] = folder / name
        write_text(paths[form], text)
    return paths
