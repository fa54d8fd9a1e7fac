"""Read a table of jobs: CSV or JSON lines whose columns are the options of ``generate``."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.pipeline.options import GenerateOptions, RunOptions
from swaptalk.pipeline.plan import Plan, make_plan
from swaptalk.storage.files import check_input_file

#: Largest table in bytes: a million rows of paths.
MAX_TABLE_BYTES = 256 << 20
#: Options of ``generate`` that make no sense in a row: how the batch runs and reports is said once,
#: for all rows.
LEFT_OUT = {field.name for field in dataclasses.fields(RunOptions)} | {
    "list_faces",
    "preview",
    "resume",
}
#: What parts several source photos in one CSV field.
SEPARATOR = ";"
_PATH_COLUMNS = ("target", "source", "audio", "output", "stats")
#: Errors shown; more of them say nothing new.
_SHOWN_ERRORS = 50
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Row:
    """One checked row."""

    number: int
    """Line of the table in which the row begins, from 1."""
    options: GenerateOptions
    plan: Plan


def columns() -> dict[str, Any]:
    """Return names and types of the columns that a table may have."""
    hints = typing.get_type_hints(GenerateOptions)
    return {
        field.name: hints[field.name]
        for field in dataclasses.fields(GenerateOptions)
        if field.name not in LEFT_OUT
    }


def read_table(path: Path) -> list[Row]:
    """Read all rows and check each as ``generate`` would, before any of them is started.

    Relative paths are relative to the table's folder. Empty fields mean the option's default.

    Raises:
        InputError: the table cannot be read, or rows are wrong: all of them are named.
    """
    check_input_file(path)
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise InputError("is too large for a table of jobs", path=path, remedy="split it")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise InputError(
            "is no table of jobs", path=path, remedy="give a file ending in .csv or .jsonl"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", path=path, remedy="save it as UTF-8") from None
    rows: list[Row] = []
    errors: list[str] = []
    outputs: dict[Path, int] = {}
    for number, record in (
        _csv_records(text, path) if suffix == ".csv" else _json_records(text, errors)
    ):
        try:
            row = Row(number, *_checked(record, path.parent))
            for output in (row.options.output, row.options.stats):
                if output is not None and outputs.setdefault(output.resolve(), number) != number:
                    raise InputError(
                        f"is an output of row {outputs[output.resolve()]} too",
                        path=output,
                        remedy="give each row its own",
                    )
            rows.append(row)
        except SwapTalkError as error:
            errors.append(f"row {number}: {error}")
    if errors:
        more = [f"and {len(errors) - _SHOWN_ERRORS} more"] if len(errors) > _SHOWN_ERRORS else []
        raise TableError(path, errors[:_SHOWN_ERRORS] + more, len(errors))
    if not rows:
        raise InputError("has no rows", path=path, remedy="write one job a line")
    return rows


class TableError(InputError):
    """Rows are wrong; ``rows`` holds a message for each of them."""

    def __init__(self, path: Path, rows: list[str], count: int) -> None:
        super().__init__(
            f"{count} rows are at fault", path=path, remedy="correct them; nothing was started"
        )
        self.rows = rows


def _csv_records(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        names = reader.fieldnames
        if not names or len(set(names)) != len(names):
            raise InputError(
                "has no header, or columns twice",
                path=path,
                remedy=f"begin it with {_some_columns()}",
            )
        unknown = sorted(set(names) - set(columns()))
        if unknown:
            raise InputError(
                f"column '{unknown[0]}' is unknown",
                path=path,
                remedy=f"known are {', '.join(columns())}",
            )
        for record in reader:
            if None in record or None in record.values():
                raise InputError(
                    f"row {reader.line_num} has another number of fields than the header",
                    path=path,
                    remedy="put fields with commas in quotes",
                )
            if any(value.strip() for value in record.values()):
                yield reader.line_num, record
    except csv.Error as error:
        raise InputError(
            f"line {reader.line_num} is no CSV ({error})",
            path=path,
            remedy="save it as CSV with commas",
        ) from error


def _some_columns() -> str:
    return "target,source,audio,output"


def _json_records(text: str, errors: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            yield number, record
        else:
            errors.append(f"row {number}: is no JSON object; write one {{...}} a line")


def _checked(record: Mapping[str, Any], folder: Path) -> tuple[GenerateOptions, Plan]:
    known, values = columns(), {}
    for name, value in record.items():
        if name not in known:
            raise InputError(f"'{name}' is unknown", remedy=f"known are {', '.join(known)}")
        value = value.strip() if isinstance(value, str) else value
        if value is None or value in ("", []):
            continue
        converted = _converted(name, known[name], value)
        if name in _PATH_COLUMNS:
            converted = (
                tuple(folder / one for one in converted)
                if isinstance(converted, tuple)
                else folder / converted
            )
        values[name] = converted
    for name in ("target", "output"):
        if name not in values:
            raise InputError(f"{name} is missing", remedy="every row needs target and output")
    options = GenerateOptions(**values)
    return options, make_plan(options)


def _converted(name: str, hint: Any, value: Any) -> Any:
    """Convert a value to the option's type.

    Raises:
        InputError: the value is not of that type.
    """
    kinds = [kind for kind in _alternatives(hint) if kind is not type(None)]
    kind = kinds[0]
    wrong = InputError(
        f"{name} {value!r:.60} is not of its kind", remedy="see 'swaptalk generate --help'"
    )
    if typing.get_origin(kind) is tuple:
        values = (
            value
            if isinstance(value, list)
            else [part.strip() for part in str(value).split(SEPARATOR)]
        )
        return tuple(_converted(name, typing.get_args(kind)[0], one) for one in values)
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise InputError(
                f"{name} {value!r:.60} is unknown",
                remedy=f"give one of {', '.join(map(str, typing.get_args(kind)))}",
            )
        return value
    if kind is bool:
        if isinstance(value, str):
            value = _WORDS.get(value.lower())
        if not isinstance(value, bool):
            raise wrong
        return value
    if isinstance(value, (list, dict, bool)) or "\0" in str(value):  # no path may hold a NUL
        raise wrong
    try:
        return kind(str(value)) if kind is Path else kind(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return (
        typing.get_args(hint)
        if typing.get_origin(hint) in (typing.Union, types.UnionType)
        else (hint,)
    )
