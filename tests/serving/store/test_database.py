"""Versions of the database: brought up to date, or refused and left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from swaptalk.cli.main import main
from swaptalk.errors import InputError
from swaptalk.serving.store import database
from swaptalk.serving.store.database import MIGRATIONS, Database


def version(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of the present version with a total in it."""
    path = tmp_path / "swaptalk.sqlite"
    with Database(path).transaction() as connection:
        connection.execute("INSERT INTO totals VALUES ('frames', 7)")
    assert version(path) == len(MIGRATIONS)
    return path


def test_an_older_file_is_brought_up_to_date(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = (
        "ALTER TABLE totals ADD COLUMN unit TEXT NOT NULL DEFAULT 'one';\n"
        "CREATE TABLE more (x INTEGER) STRICT;\n"
    )
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, more))
    for _ in range(2):
        rows = Database(old).connection.execute("SELECT *, (SELECT count(*) FROM more) FROM totals")
        assert [tuple(row) for row in rows] == [("frames", 7, "one", 0)]
        assert version(old) == len(MIGRATIONS) + 1


def test_a_migration_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        database, "MIGRATIONS", (*MIGRATIONS, "DROP TABLE totals;\nCREATE TABLE jobs (x);\n")
    )
    with pytest.raises(InputError, match="cannot be used as the server's database"):
        Database(old)
    assert version(old) == len(MIGRATIONS)
    with sqlite3.connect(old) as connection:
        assert connection.execute("SELECT value FROM totals").fetchone() == (7,)


def test_a_newer_file_is_refused_and_left_alone(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(old) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert main(["serve", "--data", str(old.parent), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert (
        "was written by a newer SwapTalk (version 99, this one knows" in said and "upgrade" in said
    )
    assert version(old) == 99


def test_what_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "swaptalk.sqlite").write_bytes(b"Dear reader, " * 100)
    assert main(["serve", "--data", str(tmp_path), "--port", "0"]) == 2
    assert "cannot be used as the server's database" in capsys.readouterr().err
    assert (tmp_path / "swaptalk.sqlite").read_bytes() == b"Dear reader, " * 100
