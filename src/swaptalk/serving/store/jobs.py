"""The user's side of the job table: submit, list, cancel, delete. Workers use ``claims``."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping
from typing import Any

from swaptalk.serving.store.database import Database, next_revision
from swaptalk.serving.store.job import (
    DERIVED,
    ENDED,
    KINDS,
    Job,
    JobLabel,
    Kind,
    State,
    job_from,
    output_path,
)

#: Columns of a job as users see it: with its place in the queue.
_COLUMNS = (
    "jobs.*, CASE WHEN state = 'queued' AND kind IN ('render', 'template') THEN (SELECT count(*)"
    " FROM jobs AS earlier WHERE earlier.state = 'queued' AND earlier.kind IN ('render',"
    " 'template') AND earlier.created < jobs.created) END AS ahead"
)


class JobNotFoundError(LookupError):
    """The job does not exist, or belongs to somebody else."""


class KeyReusedError(Exception):
    """The idempotency key belongs to another request."""


class TooManyJobsError(Exception):
    """As many jobs as are allowed are waiting or running."""


class JobBusyError(Exception):
    """The job has not ended."""


class InputGoneError(Exception):
    """An upload that the job needs is not there."""


class JobStore:
    """The jobs of all users; every method is one transaction and safe from any thread and
    process.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(
        self,
        owner: str,
        kind: Kind,
        request: Mapping[str, Any],
        *,
        inputs: Iterable[tuple[str, str]] = (),
        consent: Mapping[str, Any] | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
        most_waiting: int | None = None,
        template: str | None = None,
        label: JobLabel | None = None,
    ) -> tuple[Job, bool]:
        """Queue a job, once.

        Args:
            owner: whose it is.
            kind: what is to be done.
            request: as JSON.
            inputs: (upload, role) of every file it needs; they are not deleted before it.
            consent: the statement that was given.
            webhook: address to tell when it has ended.
            idempotency_key: a repetition with the same key and request gives the job that is there
                already.
            template: name of the job that made the template to be used; no part of what a
                repetition must repeat.
            label: what it is called, and what the client says of it; no part of what a repetition
                must repeat.
            most_waiting: refuse if the owner has so many jobs that have not ended, inspections not
                counted.

        Returns:
            The job, and whether it is new.

        Raises:
            KeyReusedError: the key was used with another request.
            TooManyJobsError: see ``most_waiting``.
            InputGoneError: an upload is not there (any more).
        """
        text = json.dumps(request, sort_keys=True)
        digest = hashlib.sha256(f"{kind}\n{text}\n{webhook}".encode()).hexdigest()
        with self._database.transaction() as connection:
            if idempotency_key is not None:
                known = connection.execute(
                    "SELECT * FROM jobs WHERE owner = ? AND idempotency_key = ?",
                    (owner, idempotency_key),
                ).fetchone()
                if known is not None:
                    if known["request_hash"] != digest:
                        raise KeyReusedError(idempotency_key)
                    return job_from(known), False
            if most_waiting is not None and _waiting(connection, owner) >= most_waiting:
                raise TooManyJobsError(most_waiting)
            job, label = secrets.token_hex(10), label or JobLabel()
            _insert(
                connection,
                id=job,
                owner=owner,
                kind=kind,
                state="queued",
                request=text,
                request_hash=digest,
                consent=_json(consent),
                webhook=webhook,
                template=template,
                idempotency_key=idempotency_key,
                created=time.time(),
                revision=next_revision(connection),
                title=label.title,
                reference=label.reference,
                metadata=_json(label.metadata),
                names=_json(label.names),
                base_url=label.base_url,
            )
            try:
                connection.executemany(
                    "INSERT OR IGNORE INTO job_inputs VALUES (?, ?, ?, ?)",
                    [(job, owner, upload, role) for upload, role in inputs],
                )
            except sqlite3.IntegrityError as error:
                raise InputGoneError(job) from error
            return self._read(connection, owner, job), True

    @staticmethod
    def _read(connection: sqlite3.Connection, owner: str, job: str) -> Job:
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE id = ? AND owner = ?", (job, owner)
        ).fetchone()
        if row is None:
            raise JobNotFoundError(job)
        return job_from(row)

    def get(self, owner: str, job: str) -> Job:
        """One job.

        Raises:
            JobNotFoundError: none of this owner has the name.
        """
        return self._read(self._database.connection, owner, job)

    def newest(
        self,
        owner: str,
        kinds: Iterable[Kind] = KINDS,
        states: Iterable[State] | None = None,
        limit: int = 50,
        before: float | None = None,
        reference: str | None = None,
    ) -> list[Job]:
        """List jobs, newest first; ``before`` continues a list."""
        kinds, states = list(kinds), None if states is None else list(states)
        query = f"SELECT {_COLUMNS} FROM jobs WHERE owner = ? AND kind IN ({_marks(kinds)})"
        values: list[Any] = [owner, *kinds]
        if states is not None:
            query += f" AND state IN ({_marks(states)})"
            values += states
        if reference is not None:
            query += " AND reference = ?"
            values.append(reference)
        if before is not None:
            query += " AND created < ?"
            values.append(before)
        rows = self._database.connection.execute(
            query + " ORDER BY created DESC, id LIMIT ?", (*values, limit)
        )
        return [job_from(row) for row in rows]

    def for_upload(self, owner: str, upload: str, kind: Kind) -> Job | None:
        """The latest job of a kind that has this upload among its inputs."""
        row = self._database.connection.execute(
            "SELECT jobs.* FROM jobs JOIN job_inputs ON job = jobs.id WHERE jobs.owner = ? AND "
            "upload = ? AND kind = ?"
            " ORDER BY created DESC LIMIT 1",
            (owner, upload, kind),
        ).fetchone()
        return None if row is None else job_from(row)

    def cancel(self, owner: str, job: str) -> Job:
        """Cancel a job: at once if it waits, soon if it runs; ended jobs do not change.

        Raises:
            JobNotFoundError: there is none.
        """
        with self._database.transaction() as connection:
            found = self._read(connection, owner, job)
            if found.state == "queued":
                end_job(connection, found, "cancelled")
            elif found.state == "running":
                connection.execute(
                    "UPDATE jobs SET cancel = 1, revision = ? WHERE id = ?",
                    (next_revision(connection), job),
                )
            return self._read(connection, owner, job)

    def rename(self, owner: str, job: str, title: str) -> Job:
        """Give a job another title.

        Raises:
            JobNotFoundError: there is none.
        """
        with self._database.transaction() as connection:
            self._read(connection, owner, job)
            connection.execute(
                "UPDATE jobs SET title = ?, revision = ? WHERE id = ?",
                (title, next_revision(connection), job),
            )
            return self._read(connection, owner, job)

    def remove(self, owner: str, job: str) -> None:
        """Delete the row of an ended job; the caller deletes its files.

        Raises:
            JobNotFoundError: there is none.
            JobBusyError: it waits or runs.
        """
        with self._database.transaction() as connection:
            if not self._read(connection, owner, job).has_ended:
                raise JobBusyError(job)
            connection.execute("DELETE FROM jobs WHERE id = ?", (job,))
            connection.execute(
                "INSERT INTO removals VALUES (?, ?, ?, ?)",
                (job, owner, next_revision(connection), time.time()),
            )
        self._database.forget()

    def ended_before(self, moment: float) -> list[Job]:
        """Jobs of all owners that ended before a time (seconds since 1970)."""
        rows = self._database.connection.execute(
            f"SELECT * FROM jobs WHERE state IN ({_marks(ENDED)}) AND finished < ?",
            (*ENDED, moment),
        )
        return [job_from(row) for row in rows]

    def derived_from_nothing(self) -> list[Job]:
        """Inspections and templates that have ended and whose upload has been deleted."""
        rows = self._database.connection.execute(
            f"SELECT * FROM jobs WHERE kind IN ({_marks(DERIVED)}) AND state IN ({_marks(ENDED)})"
            " AND NOT EXISTS (SELECT 1 FROM job_inputs WHERE job = jobs.id)",
            (*DERIVED, *ENDED),
        )
        return [job_from(row) for row in rows]

    def changes(
        self, owner: str, after: int, job: str | None = None
    ) -> tuple[list[Job], list[tuple[str, int]]]:
        """Jobs of an owner changed after a revision, and (job, revision) of those removed, oldest
        change first.
        """
        only, values = ("", (owner, after)) if job is None else (" AND id = ?", (owner, after, job))
        connection = self._database.connection
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE owner = ? AND revision > ?{only} ORDER BY revision",
            values,
        ).fetchall()
        gone = connection.execute(
            "SELECT job, revision FROM removals WHERE owner = ? AND revision > "
            f"?{only.replace('id', 'job')}"
            " ORDER BY revision",
            values,
        ).fetchall()
        return [job_from(row) for row in rows], [(row["job"], row["revision"]) for row in gone]

    def revision(self) -> int:
        """Number of the latest change."""
        return int(self._database.connection.execute("SELECT last FROM revisions").fetchone()[0])


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _insert(connection: sqlite3.Connection, **values: Any) -> None:
    """Write a new row of the table ``jobs``."""
    connection.execute(
        f"INSERT INTO jobs ({', '.join(values)}) VALUES ({_marks(values)})", tuple(values.values())
    )


def end_job(
    connection: sqlite3.Connection,
    job: Job,
    state: State,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Put a job into a final state, count it, and queue its webhook."""
    now = time.time()
    connection.execute(
        "UPDATE jobs SET state = ?, finished = ?, lease_until = NULL, worker = NULL, revision = ?,"
        " result = coalesce(?, result), error = ? WHERE id = ?",
        (
            state,
            now,
            next_revision(connection),
            _json(result),
            _json(error),
            job.id,
        ),
    )
    count_up(connection, f"jobs_{job.kind}_{state}", 1)
    if job.started is not None:
        count_up(connection, f"seconds_{job.kind}", now - job.started)
    if job.kind == "render" and state == "done" and result is not None:
        count_up(connection, "frames", float(result.get("frames", 0)))
    if job.webhook is not None:
        body = {
            "type": f"job.{state}",
            "timestamp": now,
            "data": {
                "id": job.id,
                "kind": job.kind,
                "state": state,
                "output": f"{job.base_url or ''}{output_path(job.id)}" if state == "done" else None,
                "error": error,
                "reference": job.reference,
                "metadata": job.metadata or {},
            },
        }
        connection.execute(
            "INSERT INTO deliveries (id, url, body, next, job) VALUES (?, ?, ?, ?, ?)",
            (f"msg_{secrets.token_hex(12)}", job.webhook, json.dumps(body), now, job.id),
        )


def count_up(connection: sqlite3.Connection, name: str, amount: float) -> None:
    """Add to a total that is kept when jobs are deleted."""
    connection.execute(
        "INSERT INTO totals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value"
        " + excluded.value",
        (name, amount),
    )


def _waiting(connection: sqlite3.Connection, owner: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM jobs WHERE owner = ? AND state IN ('queued', 'running')"
        " AND kind != 'inspect'",
        (owner,),
    ).fetchone()
    return int(row[0])


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
