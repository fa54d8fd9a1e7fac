"""Read a table of jobs: CSV or JSON lines whose columns are the options of ``generate``."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from swaptalk.batch.folder import spoken_text
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.pipeline.inputs import InputFiles
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.output_form import subtitles_beside
from swaptalk.pipeline.people import LIKE, like_photo, parse_person
from swaptalk.pipeline.plan import Plan, make_plan, plan_faults
from swaptalk.storage.csv_table import CsvTable, column_name
from swaptalk.storage.files import check_input_file

#: Largest table in bytes: a million rows of paths.
MAX_TABLE_BYTES = 256 << 20
#: Options of a job that make no sense in a row.
LEFT_OUT = {"list_faces", "preview", "resume"}
#: Columns that are spoken: the words as text, and the voice (or language) that speaks them.
SPEECH_COLUMNS = {"text": str, "voice": str}
#: Language of a text without a voice.
_DEFAULT_VOICE = "en"
#: What parts several source photos in one CSV field.
SEPARATOR = ";"
#: What may part the fields of a line.
_PATH_COLUMNS = (
    "target",
    "source",
    "audio",
    "turns",
    "subtitles",
    "output",
    "stats",
    "thumbnail",
)
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
        **{
            field.name: hints[field.name]
            for field in dataclasses.fields(GenerateOptions)
            if field.name not in LEFT_OUT
        },
        **SPEECH_COLUMNS,
    }


@dataclass(frozen=True)
class CheckedTable:
    """The rows of a table that can be started, and what is wrong with the others."""

    rows: list[Row]
    faults: list[str]
    """``row N: ...``, one for every fault; at most ``_SHOWN_ERRORS`` and how many more there
    are."""
    faulty: int
    """Number of rows at fault."""

    @property
    def notes(self) -> list[str]:
        """What is done to the rows' inputs without being asked for, each once."""
        return list(dict.fromkeys(note for row in self.rows for note in row.plan.notes))


def check_table(path: Path) -> CheckedTable:
    """Read all rows and check each as ``generate`` would.

    Relative paths are relative to the table's folder. Empty fields mean the option's default.
    Folders of outputs need not be there yet.

    Raises:
        InputError: the table cannot be read, or has no rows.
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
    faults: dict[int, list[str]] = {}
    files = InputFiles()
    outputs: dict[Path, int] = {}
    for number, record in _csv_records(text, path) if suffix == ".csv" else _json_records(text):
        try:
            row = Row(number, *_checked(record, path, files))
            _check_collisions(row, outputs)
            rows.append(row)
        except _RowError as error:
            faults[number] = error.faults
        except SwapTalkError as error:
            faults[number] = [str(error)]
    if not rows and not faults:
        raise InputError("has no rows", path=path, remedy="write one job a line")
    said = [f"row {number}: {fault}" for number, found in faults.items() for fault in found]
    more = [f"and {len(said) - _SHOWN_ERRORS} more"] if len(said) > _SHOWN_ERRORS else []
    return CheckedTable(rows, said[:_SHOWN_ERRORS] + more, len(faults))


def _check_collisions(row: Row, outputs: dict[Path, int]) -> None:
    """Refuse an output that an earlier row has; ``outputs`` remembers which row has which."""
    options = row.options
    for output in (options.output, options.stats, options.thumbnail, subtitles_beside(options)):
        if output is not None and outputs.setdefault(output.resolve(), row.number) != row.number:
            raise InputError(
                f"is an output of row {outputs[output.resolve()]} too",
                path=output,
                remedy="give each row its own",
            )


class _RowError(Exception):
    """All that is wrong with a row."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class TableError(InputError):
    """Rows are wrong; ``rows`` holds a message for each of them."""

    def __init__(self, path: Path, rows: list[str], count: int) -> None:
        super().__init__(
            f"{count} rows are at fault", path=path, remedy="correct them; nothing was started"
        )
        self.rows = rows


def _csv_records(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    table = CsvTable(text, path, _some_columns())
    unknown = sorted(set(table.names) - set(columns()))
    if unknown:
        raise InputError(
            f"column '{unknown[0]}' is unknown",
            path=path,
            remedy=f"known are {', '.join(columns())}",
        )
    return table.rows()


def _some_columns() -> str:
    return "target,source,audio,output"


def _json_records(text: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Lines that are no JSON object come as None."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        yield number, record if isinstance(record, dict) else None


def _checked(
    record: Mapping[str, Any] | None, table: Path, files: InputFiles
) -> tuple[GenerateOptions, Plan]:
    """Options and plan of a row.

    Raises:
        _RowError: with all that is wrong with it.
    """
    if record is None:
        raise _RowError(["is no JSON object; write one {...} a line"])
    values: dict[str, Any] = {}
    faults = []
    for written, value in record.items():
        name = column_name(written)
        try:
            converted = _value(name, value, table.parent)
        except InputError as error:
            faults.append(str(error))
            values[name] = None
            continue
        if converted is not None:
            values[name] = converted
    for name in ("target", "output"):
        if name not in values:
            faults.append(f"{name} is missing; every row needs target and output")
    if not faults:
        try:
            _speak(values, table)
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise _RowError(faults)
    options = GenerateOptions(**values)
    try:
        plan = make_plan(options, create_folders=True, files=files)
    except SwapTalkError:
        raise _RowError(plan_faults(options, create_folders=True, files=files)) from None
    if plan.template is None:  # a rate that was raised for speech is the row's own from here on
        options = dataclasses.replace(options, fps=plan.options.fps)
    return options, plan


def _speak(values: dict[str, Any], table: Path) -> None:
    """Replace the text of a row by its recording.

    Raises:
        InputError: it cannot be spoken, or there are other words too.
    """
    text, voice = values.pop("text", None), values.pop("voice", None)
    if text is None and voice is not None:
        raise InputError("voice without text", remedy="give text, or leave voice out")
    if text is not None:
        if "audio" in values:
            raise InputError("has both text and audio", remedy="give one of them")
        values["audio"] = spoken_text(text, voice or _DEFAULT_VOICE, table)


def _value(name: str, value: Any, folder: Path) -> Any:
    """The value of a field as the option's type; None where it is empty.

    Raises:
        InputError: the column is unknown, or the value is not of its kind.
    """
    known = columns()
    if name not in known:
        raise InputError(f"'{name}' is unknown", remedy=f"known are {', '.join(known)}")
    value = value.strip() if isinstance(value, str) else value
    if value is None or value in ("", []):
        return None
    converted = _converted(name, known[name], value)
    if name == "person":
        return tuple(parse_person(entry).inside(folder).entry for entry in converted)
    if name == "face" and (photo := like_photo(converted)) is not None:
        return f"{LIKE}{folder / photo}"
    if name not in _PATH_COLUMNS:
        return converted
    return (
        tuple(folder / one for one in converted)
        if isinstance(converted, tuple)
        else folder / converted
    )


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
