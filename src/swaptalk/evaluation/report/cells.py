"""Text and cells shared by all forms of the report."""

from __future__ import annotations

from collections.abc import Sequence

from swaptalk.evaluation.report.columns import Column
from swaptalk.evaluation.report.summary import (
    LANGUAGE_COLUMNS,
    Summary,
    SummaryRow,
    column_of,
)
from swaptalk.metrics.bootstrap import Interval

PROTOCOL_TITLES = {
    "self": "Self-driven",
    "cross": "Cross-driven",
    "paused": "Paused: the second half of the words is silent, the target speaks on",
}
PAPER_NOTE = (
    "Rows marked * are the paper's own numbers on other clips, crops and weights: not comparable."
)


def cell_text(interval: Interval | None, column: Column, spread: bool = False) -> str:
    """A cell as text; with ``spread`` followed by half the interval's width, where more than one
    clip was measured.
    """
    if interval is None:
        return "-"
    text = f"{interval.value:.{column.digits}f}"
    if spread and interval.count > 1:
        text += f" ±{(interval.high - interval.low) / 2:.{column.digits}f}"
    return text


def heading(column: Column) -> str:
    """A column's title with unit and direction."""
    arrow = {"higher": " ↑", "lower": " ↓", "neither": ""}[column.better]
    return f"{column.title}{f' [{column.unit}]' if column.unit else ''}{arrow}"


def best_methods(rows: Sequence[SummaryRow], column: Column) -> set[str]:
    """Methods with the best value of a column among rows of one protocol; ground truth and copy do
    not compete.
    """
    values = {
        row.method: row.cells[column.key].value
        for row in rows
        if column.key in row.cells and row.method not in ("Ground truth", "Copy target")
    }
    if len(values) < 2 or column.better == "neither":
        return set()
    best = max(values.values()) if column.better == "higher" else min(values.values())
    return {method for method, value in values.items() if value == best}


def row_label(row: SummaryRow, rows: Sequence[SummaryRow]) -> str:
    """A row's name; with its number of clips where others of the protocol were measured on more."""
    most = max(other.clips for other in rows if other.protocol == row.protocol)
    return row.method if row.clips == most else f"{row.method} ({row.clips} of {most} clips)"


def language_table(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table by language; no rows where there is only one."""
    columns = [
        column_of(key)
        for key in LANGUAGE_COLUMNS
        if any(key in row.cells for row in summary.languages)
    ]
    rows = [
        [
            PROTOCOL_TITLES.get(row.protocol, row.protocol).partition(":")[0],
            row.method,
            row.language,
            str(row.clips),
            *(cell_text(row.cells.get(column.key), column, True) for column in columns),
        ]
        for row in summary.languages
    ]
    return ["words", "method", "language", "clips", *map(heading, columns)], rows
