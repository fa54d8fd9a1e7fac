"""Tables in CSV as spreadsheets of all countries write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from swaptalk.errors import InputError

#: What may part fields.
DELIMITERS = (",", ";", "\t")


class CsvTable:
    """A table with a header; names of columns may have capitals, spaces and hyphens.

    Attributes:
        names: columns, as :func:`column_name` writes them.
        delimiter: what parts the fields; of several the one that the header has most of.

    Args:
        text: the file's.
        path: of the file, for messages.
        example: some columns that it may have, for messages.

    Raises:
        InputError: there is no header, or it has a name twice.
    """

    def __init__(self, text: str, path: Path, example: str) -> None:
        text, self._above = _without_excel_hint(text)
        header = text.partition("\n")[0]
        self.path, self.delimiter = path, max(DELIMITERS, key=header.count)
        self._reader = csv.DictReader(
            io.StringIO(text, newline=""),
            strict=True,
            skipinitialspace=True,
            delimiter=self.delimiter,
        )
        try:
            names = [column_name(name) for name in self._reader.fieldnames or ()]
        except csv.Error as error:
            raise self._no_csv(error) from error
        if not names or len(set(names)) != len(names):
            raise InputError(
                "has no header, or columns twice", path=path, remedy=f"begin it with {example}"
            )
        self.names = self._reader.fieldnames = names

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the number of the line and the fields of each row that is not empty.

        Raises:
            InputError: a line is no CSV, or has another number of fields than the header.
        """
        try:
            for record in self._reader:
                number = self._reader.line_num + self._above
                if None in record or None in record.values():
                    raise InputError(
                        f"row {number} has another number of fields than the header",
                        path=self.path,
                        remedy="put fields with commas in quotes",
                    )
                if any(value.strip() for value in record.values()):
                    yield number, record
        except csv.Error as error:
            raise self._no_csv(error) from error

    def _no_csv(self, error: csv.Error) -> InputError:
        return InputError(
            f"line {self._reader.line_num + self._above} is no CSV ({error})",
            path=self.path,
            remedy="save it as CSV with commas or semicolons",
        )


def column_name(text: str) -> str:
    """A column's name as it may be written in a header: ``Source Face``, ``--source-face``."""
    return text.strip().lstrip("-").lower().replace(" ", "_").replace("-", "_")


def _without_excel_hint(text: str) -> tuple[str, int]:
    """The text without a first line such as ``sep=;``, and how many lines that took away."""
    first, _, rest = text.partition("\n")
    is_hint = first.strip("\r ").lower() in {f"sep={one}" for one in DELIMITERS}
    return (rest, 1) if is_hint else (text, 0)
