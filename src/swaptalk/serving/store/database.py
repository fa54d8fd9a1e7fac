"""The SQLite database of the server."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swaptalk.errors import InputError

#: How long (seconds) a writer waits for another one. Transactions here take milliseconds.
BUSY_SECONDS = 30.0

_FIRST = """
CREATE TABLE uploads (
    id TEXT NOT NULL,               -- SHA-256 of the contents
    owner TEXT NOT NULL,
    name TEXT NOT NULL,             -- what the user called it; never used as a path
    kind TEXT NOT NULL,             -- photo, video or audio
    bytes INTEGER NOT NULL,
    media TEXT NOT NULL,            -- JSON: size, seconds, rate
    created REAL NOT NULL,
    used REAL NOT NULL,
    PRIMARY KEY (id, owner)
) STRICT;
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,             -- inspect, preview, render, template
    state TEXT NOT NULL,            -- queued, running, done, failed, cancelled
    request TEXT NOT NULL,          -- JSON
    request_hash TEXT NOT NULL,
    consent TEXT,                   -- JSON: statement and time
    webhook TEXT,
    template TEXT,                  -- the job whose template is used instead of analysing the target
    idempotency_key TEXT,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    not_before REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,    -- since it last got further
    token INTEGER NOT NULL DEFAULT 0,       -- fencing token: the number of the claim
    worker TEXT,
    lease_until REAL,
    cancel INTEGER NOT NULL DEFAULT 0,
    stage TEXT,
    stage_total INTEGER NOT NULL DEFAULT 0,
    stage_first INTEGER NOT NULL DEFAULT 0,  -- what an earlier attempt had done of it
    stage_done INTEGER NOT NULL DEFAULT 0,
    stage_begun REAL,
    furthest INTEGER NOT NULL DEFAULT 0,     -- most frames an attempt could go on from
    result TEXT,                    -- JSON
    error TEXT,                     -- JSON
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_by_key ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_by_state ON jobs (state, kind, created);
CREATE INDEX jobs_by_owner ON jobs (owner, created);
CREATE INDEX jobs_by_revision ON jobs (revision);
CREATE TABLE job_inputs (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    upload TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (job, upload, role),
    FOREIGN KEY (upload, owner) REFERENCES uploads (id, owner) ON DELETE CASCADE
) STRICT;
CREATE INDEX inputs_by_upload ON job_inputs (upload);
CREATE TABLE removals (job TEXT PRIMARY KEY, owner TEXT NOT NULL, revision INTEGER NOT NULL, at REAL NOT NULL) STRICT;
CREATE TABLE revisions (last INTEGER NOT NULL) STRICT;
INSERT INTO revisions VALUES (0);
CREATE TABLE workers (
    id TEXT PRIMARY KEY, pid INTEGER NOT NULL, kinds TEXT NOT NULL, started REAL NOT NULL, seen REAL NOT NULL
) STRICT;
CREATE TABLE keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL UNIQUE, created REAL NOT NULL, used REAL
) STRICT;
CREATE TABLE sessions (hash TEXT PRIMARY KEY, key TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
                       until REAL NOT NULL) STRICT;
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    next REAL NOT NULL, job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE
) STRICT;
CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE totals (name TEXT PRIMARY KEY, value REAL NOT NULL) STRICT;
"""
#: Title; the client's own name of the job and its own words about it (JSON); what the inputs were
#: called when it was submitted (JSON); the server's address as whoever submitted it sees it.
_SECOND = """
ALTER TABLE jobs ADD COLUMN title TEXT;
ALTER TABLE jobs ADD COLUMN reference TEXT;
ALTER TABLE jobs ADD COLUMN metadata TEXT;
ALTER TABLE jobs ADD COLUMN names TEXT;
ALTER TABLE jobs ADD COLUMN base_url TEXT;
CREATE INDEX jobs_by_reference ON jobs (owner, reference) WHERE reference IS NOT NULL;
"""
#: Each brings a file from the version that is its index to the next; what was released once is
#: never changed. A file's version is SQLite's ``user_version``.
MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND)


class Database:
    """One connection for each thread to one file; create it in every process anew.

    Write-ahead logging lets readers and a writer work at once, ``synchronous=FULL`` makes a commit
    survive a power cut, ``secure_delete`` overwrites what is deleted.

    Args:
        path: the file; it is made if it is not there.

    Raises:
        InputError: it belongs to a newer version, or is no database; it is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._prepare()

    def _prepare(self) -> None:
        try:
            with self.transaction() as connection:
                found = int(connection.execute("PRAGMA user_version").fetchone()[0])
                for migration in MIGRATIONS[found:]:
                    for statement in migration.split(";\n"):
                        connection.execute(statement)
                if found < len(MIGRATIONS):
                    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"cannot be used as the server's database ({error})",
                path=self._path,
                remedy="move it away, or name another folder with --data",
            ) from error
        if found > len(MIGRATIONS):
            raise InputError(
                f"was written by a newer SwapTalk (version {found}, this one knows "
                f"{len(MIGRATIONS)})",
                path=self._path,
                remedy="upgrade, or name another folder with --data",
            )

    @property
    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, in autocommit mode; rows are :class:`sqlite3.Row`."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.row_factory = sqlite3.Row
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "secure_delete = ON",
            ):
                connection.execute(f"PRAGMA {pragma}")
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write exclusively for the ``with`` block; commit at its end, roll back after an error."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def forget(self) -> None:
        """Empty the write-ahead log, so that deleted rows cannot be read."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def next_revision(connection: sqlite3.Connection) -> int:
    """Return the next revision number; every change that is reported to users takes one."""
    return int(
        connection.execute("UPDATE revisions SET last = last + 1 RETURNING last").fetchone()[0]
    )
