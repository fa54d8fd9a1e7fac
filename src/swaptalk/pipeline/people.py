"""Several people in one job: entries of ``--person``, and turns of one recording."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.storage.csv_table import CsvTable
from swaptalk.storage.files import check_input_file

#: Who a face option means: by size, by side, by number, or by a photo.
FACE_CHOICE = re.compile(r"largest|left|right|[0-9]{1,4}|like:.+", re.DOTALL)
#: What begins the choice of a face by a photo.
LIKE = "like:"
_KEYS = ("face", "source", "source_face", "audio", "strength", "shape", "name")
_EXAMPLE = "give for example face=2,source=photo.jpg,audio=words.wav"
_TURN_COLUMNS = ("start", "end", "person")


@dataclass(frozen=True)
class Person:
    """One person of the target, and what becomes of them.

    Args:
        face: as of ``--face``.
        source: photos of the person to put there; none keep the face.
        source_face: as of ``--source-face``.
        audio: the words; None keeps the mouth, or takes them from the turns.
        strength, shape: as of the options; None takes those of the job.
        name: what turns call the person; None: as ``face`` says.
    """

    face: str
    source: tuple[Path, ...] = ()
    source_face: str | None = None
    audio: Path | None = None
    strength: float | None = None
    shape: float | None = None
    name: str | None = None

    @property
    def called(self) -> str:
        """What turns call the person."""
        return self.name or self.face

    @property
    def entry(self) -> str:
        """The entry as it is written, for messages and command lines."""
        parts: list[tuple[str, object]] = [("name", self.name), ("face", self.face)]
        parts += [("source", str(photo)) for photo in self.source]
        parts += [("source_face", self.source_face), ("audio", self.audio)]
        parts += [("strength", self.strength), ("shape", self.shape)]
        written = io.StringIO()
        fields = [f"{key}={value}" for key, value in parts if value is not None]
        csv.writer(written, lineterminator="").writerow(fields)
        return written.getvalue()

    def error(self, problem: str, remedy: str) -> InputError:
        """An error that names the entry."""
        return InputError(f'--person "{self.entry}": {problem}', remedy=remedy)

    def inside(self, folder: Path) -> Person:
        """The same with relative paths taken as inside a folder."""
        face = self.face
        if face.startswith(LIKE):
            face = f"{LIKE}{folder / face.removeprefix(LIKE)}"
        audio = None if self.audio is None else folder / self.audio
        return replace(
            self, face=face, source=tuple(folder / one for one in self.source), audio=audio
        )


def like_photo(face: str | None) -> Path | None:
    """The photo by which a face is chosen, if it is."""
    return Path(face.removeprefix(LIKE)) if face is not None and face.startswith(LIKE) else None


def parse_person(text: str) -> Person:
    """Read ``face=2,source=photo.jpg,audio=words.wav``; parts with commas stand in quotes.

    Raises:
        InputError: naming the entry and what is wrong with it.
    """

    def wrong(problem: str, remedy: str = _EXAMPLE) -> InputError:
        return InputError(f'--person "{text}": {problem}', remedy=remedy)

    try:
        parts = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise wrong(str(error)) from None
    values: dict[str, str] = {}
    photos: list[Path] = []
    for part in parts:
        key, separator, value = part.partition("=")
        key, value = key.strip().lower().replace("-", "_"), value.strip()
        if not separator or key not in _KEYS:
            raise wrong(f"'{part}' is none of {', '.join(_KEYS)}")
        if not value:
            raise wrong(f"{key} is empty")
        if key == "source":
            photos.append(Path(value))
        elif key in values:
            raise wrong(f"{key} is given twice", "give it once")
        else:
            values[key] = value
    if not FACE_CHOICE.fullmatch(values.get("face", "")):
        raise wrong("it does not say which face", "give face=2, face=left or face=like:photo.jpg")
    return Person(
        face=values["face"],
        source=tuple(photos),
        source_face=values.get("source_face"),
        audio=Path(values["audio"]) if "audio" in values else None,
        strength=_share(values.get("strength"), wrong),
        shape=_share(values.get("shape"), wrong),
        name=values.get("name"),
    )


def _share(text: str | None, wrong: Callable[[str], InputError]) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise wrong(f"{text} is no number from 0 to 1")
    return value


def people_faults(people: Sequence[Person], with_turns: bool) -> Iterator[InputError]:
    """What is wrong with the entries, whatever the target shows.

    Args:
        people: the entries.
        with_turns: whether one recording is shared out by turns.
    """
    for one, other in itertools.combinations(people, 2):
        if one.face == other.face:
            yield other.error("another entry has the same face", "give each face one entry")
        elif one.called == other.called:
            yield other.error(f"two people are called {other.called}", "give another name=")
    for person in people:
        if person.audio is not None and with_turns:
            yield person.error(
                "has a recording where turns share out another one",
                "leave out its audio=, or --audio and --turns",
            )
        if not person.source and person.audio is None and not with_turns:
            yield person.error("changes nothing", "give it a source=, an audio= or both")


@dataclass(frozen=True)
class Turn:
    """From ``start`` to ``end`` seconds of the recording ``person`` speaks."""

    start: float
    end: float
    person: str


def read_turns(path: Path, people: Sequence[Person]) -> tuple[Turn, ...]:
    """Read a table with the columns start, end (seconds) and person.

    Raises:
        InputError: it is no such table, turns overlap, or one names nobody; naming the line.
    """
    check_input_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is no CSV table", path=path, remedy="save it as CSV in UTF-8") from None
    table = CsvTable(text, path, ",".join(_TURN_COLUMNS))
    if not set(_TURN_COLUMNS) <= set(table.names):
        raise InputError(
            "is no table of turns", path=path, remedy="give the columns start,end,person"
        )
    # Where commas do not part fields they may part whole seconds from the rest.
    comma = "." if table.delimiter != "," else ","
    turns = [(f"line {line}", _turn(row, line, path, comma)) for line, row in table.rows()]
    if not turns:
        raise InputError("has no turns", path=path, remedy="write one a line: 0,4.2,left")
    return ordered_turns(turns, people, path)


def ordered_turns(
    placed: Sequence[tuple[str, Turn]], people: Sequence[Person], path: Path | None = None
) -> tuple[Turn, ...]:
    """Check turns and sort them by their beginning.

    Args:
        placed: where a turn stands, for messages ("line 3"), and the turn.
        people: who may speak.
        path: the table, for messages.

    Raises:
        InputError: two overlap, one ends before it starts, or names nobody; naming where it stands.
    """
    known = [person.called for person in people]
    for place, turn in placed:
        if not 0 <= turn.start < turn.end < math.inf:
            raise InputError(
                f"{place}: it ends before it starts", path=path, remedy="correct the times"
            )
        if turn.person not in known:
            raise InputError(
                f"{place}: nobody is called '{turn.person}'",
                path=path,
                remedy=f"name one of {', '.join(known)}, as the entries of --person do",
            )
    ordered = sorted(placed, key=lambda one: one[1].start)
    for (first, before), (second, after) in itertools.pairwise(ordered):
        if after.start < before.end:
            raise InputError(
                f"{second}: {after.person} speaks from {after.start:g} s on, while {first} lets "
                f"{before.person} speak until {before.end:g} s",
                path=path,
                remedy="let one person speak at a time",
            )
    return tuple(turn for _, turn in ordered)


def _turn(row: dict[str, str], line: int, path: Path, comma: str) -> Turn:
    start, end = (row[name].strip().replace(",", comma) for name in ("start", "end"))
    try:
        return Turn(float(start), float(end), row["person"].strip())
    except ValueError:
        raise InputError(
            f"line {line}: start and end are no seconds", path=path, remedy="write numbers"
        ) from None
