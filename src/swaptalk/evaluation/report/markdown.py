"""The report as Markdown, for model cards and documentation."""

from __future__ import annotations

from collections.abc import Sequence

from swaptalk.evaluation.report.cells import (
    PAPER_NOTE,
    PROTOCOL_TITLES,
    best_methods,
    cell_text,
    heading,
    language_table,
    row_label,
)
from swaptalk.evaluation.report.columns import PAPER_ROWS
from swaptalk.evaluation.report.goals import Reached, goal_cells
from swaptalk.evaluation.report.summary import Summary
from swaptalk.evaluation.run import Results

#: Columns of the tables; the rest is in the other forms of the report.
_SHOWN = (
    "fid",
    "fd_mobilenet",
    "ssim",
    "lpips",
    "cpbd",
    "lmd",
    "lmd_percent",
    "lse_c",
    "lse_d",
    "own_sync_confidence",
    "own_sync_distance",
    "own_audio_first",
    "id_top1",
    "source_cosine",
    "consistency",
    "pose_error",
    "expression_error",
    "lip_leak",
    "jitter",
)


def goals_markdown(lines: Sequence[Reached]) -> str:
    """The goals and what was reached, as a table for a model card."""
    head = ("what", "floor", "goal", "reached, with 95 % interval", "")
    return _table(head, [goal_cells(line) for line in lines])


def as_markdown(summary: Summary, results: Results, goals: Sequence[Reached], command: str) -> str:
    """Goals, the table of each protocol with the paper's rows, what beats what, and notes."""
    parts = [
        f"Made by `{command}`: {len(results.pairs)} clips, {results.seconds:.0f} s, "
        f"{len(results.skipped.items)} left out, gallery of {results.gallery_size} people."
    ]
    if goals:
        parts.append(goals_markdown(goals))
    for protocol in dict.fromkeys(row.protocol for row in summary.rows):
        rows = [row for row in summary.rows if row.protocol == protocol]
        columns = [
            c
            for c in summary.columns
            if c.key in _SHOWN and any(c.key in row.cells for row in rows)
        ]
        best = {column.key: best_methods(rows, column) for column in columns}
        lines = []
        for row in rows:
            cells = [cell_text(row.cells.get(column.key), column, True) for column in columns]
            bold = [
                f"**{t}**" if row.method in best[c.key] else t
                for t, c in zip(cells, columns, strict=True)
            ]
            lines.append((row_label(row, rows), *bold))
        for paper in (p for p in PAPER_ROWS if p.protocol == protocol):
            values = [paper.values.get(column.key) for column in columns]
            if any(value is not None for value in values):
                shown = [
                    "-" if v is None else f"{v:.{c.digits}f}"
                    for v, c in zip(values, columns, strict=True)
                ]
                lines.append((f"*{paper.method}* \\*", *shown))
        title = (
            f"### {PROTOCOL_TITLES.get(protocol, protocol)}, {max(row.clips for row in rows)} clips"
        )
        parts += [title, _table(("", *(heading(c) for c in columns)), lines)]
    if summary.languages:
        parts += ["### By language", _table(*language_table(summary))]
    parts += [f"- {claim}" for claim in summary.claims]
    parts += [
        f"- {note}" for note in ("±: half of the 95 % interval. " + PAPER_NOTE, *summary.notes)
    ]
    text = "\n\n".join(parts) + "\n"
    return text.replace("\n\n- ", "\n- ").replace("|\n- ", "|\n\n- ")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
