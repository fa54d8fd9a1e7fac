"""Photos and clips that take no part, by name, with the reasons.

A dataset keeps the list in ``excluded.csv``, so that what was excluded once stays out when footage
is added.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from swaptalk.data.sources import Source
from swaptalk.data.store import write_table
from swaptalk.errors import InputError

EXCLUDED_NAME = "excluded.csv"
_COLUMNS = ("name", "source", "reason")


def read_excluded(path: Path) -> dict[str, str]:
    """Read names and reasons from the columns ``name`` and ``reason`` of a CSV file.

    Raises:
        InputError: it cannot be read, lacks a column, or a row lacks a name or a reason.
    """
    return {row["name"]: row["reason"] for row in read_rows(path)}


def only_listed(sources: Sequence[Source], path: Path) -> list[Source]:
    """Of some sources those that a CSV file names in its column ``name``.

    Raises:
        InputError: it cannot be read, a row has no name, or no source has one of the names.
    """
    wanted = {row["name"] for row in read_rows(path, ("name",))}
    missing = sorted(wanted - {source.name for source in sources})
    if missing:
        raise InputError(
            f"names {missing[0]}, which the footage does not have",
            path=path,
            remedy="remove the row, or give the footage that has it",
        )
    return [source for source in sources if source.name in wanted]


def read_rows(path: Path, columns: Sequence[str] = ("name", "reason")) -> list[dict[str, str]]:
    """Rows of a CSV file with a header, by column.

    Raises:
        InputError: it cannot be read, lacks one of the columns, or a row leaves one empty.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"is not a readable table ({error})", path=path, remedy="save it as CSV in UTF-8"
        ) from error
    for line, row in enumerate(rows, 2):
        if not all(row.get(column) for column in columns):
            raise InputError(
                f"line {line} has no {' or no '.join(columns)}",
                path=path,
                remedy=f"give the columns {' and '.join(columns)}, and fill them in",
            )
    return rows


class Excluded:
    """What is excluded from a dataset.

    Args:
        dataset: folder of the dataset; its list may be missing.
    """

    def __init__(self, dataset: Path) -> None:
        self._path = dataset / EXCLUDED_NAME
        found = read_rows(self._path) if self._path.exists() else []
        self._rows = {row["name"]: {c: row.get(c) or "" for c in _COLUMNS} for row in found}

    def add(self, path: Path, sources: Iterable[Source]) -> None:
        """Add a list of names, and save where those of some sources lie.

        Args:
            path: see `read_excluded`.
            sources: what there is to prepare.
        """
        for name, reason in read_excluded(path).items():
            before = self._rows.get(name, {"source": ""})
            self._rows[name] = {"name": name, "source": before["source"], "reason": reason}
        for source in sources:
            if source.name in self._rows:
                self._rows[source.name]["source"] = str(source.path)
        write_table(self._path, _COLUMNS, self._rows.values())

    def __contains__(self, name: str) -> bool:
        """Whether a source, or the clip that a piece is of (``NAME@60s``), is excluded."""
        return name in self._rows or name.rpartition("@")[0] in self._rows

    def dropped(self) -> list[dict[str, str]]:
        """Rows of ``dropped.csv``: what was excluded and lies in the footage."""
        return [row for row in self._rows.values() if row["source"]]

    @property
    def unseen(self) -> int:
        """Names that no footage had so far."""
        return sum(not row["source"] for row in self._rows.values())
