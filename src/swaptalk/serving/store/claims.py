"""The worker's side of the job table: claims with leases, heartbeats and fencing tokens.

A claim gives the job the next *fencing token*. Everything a worker writes names its token and has
no effect once the job has a newer one: a worker that slept through its lease (a stopped machine, a
swapped-out process) cannot publish over the one that took its place.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from swaptalk.serving.store.database import Database, next_revision
from swaptalk.serving.store.job import Job, Kind, job_from
from swaptalk.serving.store.jobs import end_job

#: Seconds that a claim lasts without a heartbeat; several heartbeats may be missed.
LEASE_SECONDS = 15.0
#: First wait before a failed attempt is repeated, doubled each time.
BACKOFF_SECONDS = 2.0
#: A worker that has not been heard of for this long is gone.
WORKER_SECONDS = 60.0


class LeaseLostError(Exception):
    """The claim is lost: another worker has the job, or it was deleted."""


class Signal(Enum):
    """Answer to a heartbeat."""

    GO_ON = auto()
    CANCEL = auto()
    LOST = auto()


@dataclass(frozen=True)
class Step:
    """Progress: ``done`` of ``total`` frames of a stage, ``first`` by earlier attempts."""

    stage: str
    total: int
    first: int
    done: int
    begun: float


class Claims:
    """Claims of one worker process.

    Args:
        database: where the jobs are.
        worker: name of the worker process, different for every process.
        attempts: attempts of a job without a further finished chunk.
        lease_seconds: how long a claim lasts without a heartbeat.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        worker: str,
        attempts: int,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._worker = database, worker
        self._attempts, self._lease, self._clock = attempts, lease_seconds, clock

    def claim(self, kinds: Iterable[Kind]) -> Job | None:
        """Claim the oldest job that waits or has lost its worker; None if there is none."""
        kinds = list(kinds)
        now = self._clock()
        marks = ", ".join("?" for _ in kinds)
        with self._database.transaction() as connection:
            self._give_up(connection, now)
            row = connection.execute(
                f"SELECT id FROM jobs WHERE kind IN ({marks}) AND (state = 'queued' AND not_before "
                "<= ?"
                " OR state = 'running' AND lease_until < ?) ORDER BY created LIMIT 1",
                (*kinds, now, now),
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE jobs SET state = 'running', token = token + 1, attempts = attempts + 1, "
                "worker = ?,"
                " lease_until = ?, started = coalesce(started, ?), stage = NULL, stage_total = 0, "
                "stage_first = 0,"
                " stage_done = 0, stage_begun = NULL, revision = ? WHERE id = ?",
                (self._worker, now + self._lease, now, next_revision(connection), row["id"]),
            )
            return job_from(
                connection.execute("SELECT * FROM jobs WHERE id = ?", (row["id"],)).fetchone()
            )

    def _give_up(self, connection: sqlite3.Connection, now: float) -> None:
        """End jobs without a worker that have no attempts left or were cancelled."""
        rows = connection.execute(
            "SELECT * FROM jobs WHERE state = 'running' AND lease_until < ?"
            " AND (attempts >= ? OR cancel)",
            (now, self._attempts),
        ).fetchall()
        for job in map(job_from, rows):
            if job.cancel:
                end_job(connection, job, "cancelled")
            else:
                end_job(
                    connection,
                    job,
                    "failed",
                    error={
                        "title": "The work broke off again and again",
                        "detail": f"The program that did this job died {job.attempts} times "
                        "without getting further.",
                        "remedy": "Try a smaller or freshly exported file, and look into the "
                        "server's log.",
                    },
                )

    def heartbeat(self, job: Job, step: Step | None) -> Signal:
        """Renew the lease and store the progress."""
        now = self._clock()
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT * FROM jobs WHERE id = ? AND token = ? AND state = 'running'",
                (job.id, job.token),
            ).fetchone()
            if row is None:
                return Signal.LOST
            connection.execute(
                "UPDATE jobs SET lease_until = ? WHERE id = ?", (now + self._lease, job.id)
            )
            shown = (row["stage"], row["stage_total"], row["stage_done"])
            if step is not None and shown != (step.stage, step.total, step.done):
                connection.execute(
                    "UPDATE jobs SET stage = ?, stage_total = ?, stage_first = ?, stage_done = ?, "
                    "stage_begun = ?,"
                    " revision = ? WHERE id = ?",
                    (
                        step.stage,
                        step.total,
                        step.first,
                        step.done,
                        step.begun,
                        next_revision(connection),
                        job.id,
                    ),
                )
                if step.first > row["furthest"]:
                    # The attempt before this one got further, so it does not count as one that died
                    # in vain.
                    connection.execute(
                        "UPDATE jobs SET furthest = ?, attempts = 1 WHERE id = ?",
                        (step.first, job.id),
                    )
            return Signal.CANCEL if row["cancel"] else Signal.GO_ON

    def show(self, job: Job, result: Mapping[str, Any]) -> None:
        """Publish a part of the result while the job runs."""
        with self._database.transaction() as connection:
            self._check(connection, job)
            connection.execute(
                "UPDATE jobs SET result = ?, revision = ? WHERE id = ?",
                (json.dumps(result), next_revision(connection), job.id),
            )

    def finish(
        self, job: Job, result: Mapping[str, Any], publish: Callable[[], None] = lambda: None
    ) -> None:
        """Publish the result and end the job, if the claim still holds.

        ``publish`` puts files into their place by renaming. It runs while nobody else can claim the
        job; should the process die after it and before the commit, the next claim finds the files
        there.

        Raises:
            LeaseLostError: the claim is not the latest; nothing was published.
        """
        with self._database.transaction() as connection:
            self._check(connection, job)
            publish()
            end_job(connection, job, "done", result=result)

    def fail(self, job: Job, error: Mapping[str, Any], retry: bool = False) -> None:
        """End a job as failed or, with ``retry``, put it back if attempts are left.

        Raises:
            LeaseLostError: the claim is not the latest.
        """
        with self._database.transaction() as connection:
            current = self._check(connection, job)
            if retry and current.attempts < self._attempts:
                wait = BACKOFF_SECONDS * 2 ** (current.attempts - 1)
                self._put_back(connection, job, self._clock() + wait)
            else:
                end_job(connection, job, "failed", error=error)

    def cancelled(self, job: Job) -> None:
        """End a job as cancelled by its user.

        Raises:
            LeaseLostError: the claim is not the latest.
        """
        with self._database.transaction() as connection:
            self._check(connection, job)
            end_job(connection, job, "cancelled")

    def release(self, job: Job) -> None:
        """Give a job back because this worker stops; this is not counted as an attempt."""
        with self._database.transaction() as connection:
            try:
                self._check(connection, job)
            except LeaseLostError:
                return
            connection.execute("UPDATE jobs SET attempts = attempts - 1 WHERE id = ?", (job.id,))
            self._put_back(connection, job, 0.0)

    def abandon(self, job: Job) -> None:
        """Release the job as if this worker had died."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET lease_until = 0 WHERE id = ? AND token = ? AND state = 'running'",
                (job.id, job.token),
            )

    @staticmethod
    def _put_back(connection: sqlite3.Connection, job: Job, not_before: float) -> None:
        connection.execute(
            "UPDATE jobs SET state = 'queued', worker = NULL, lease_until = NULL, not_before = ?,"
            " revision = ? WHERE id = ?",
            (not_before, next_revision(connection), job.id),
        )

    @staticmethod
    def _check(connection: sqlite3.Connection, job: Job) -> Job:
        row = connection.execute(
            "SELECT * FROM jobs WHERE id = ? AND token = ? AND state = 'running'",
            (job.id, job.token),
        ).fetchone()
        if row is None:
            raise LeaseLostError(job.id)
        return job_from(row)

    def register(self, pid: int, kinds: Iterable[Kind]) -> None:
        """Register this worker as alive; call it repeatedly."""
        now = self._clock()
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO workers VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET seen = "
                "excluded.seen",
                (self._worker, pid, " ".join(kinds), now, now),
            )
            connection.execute("DELETE FROM workers WHERE seen < ?", (now - WORKER_SECONDS,))


def release_worker(database: Database, worker: str) -> None:
    """Release the jobs of a dead worker before their leases end."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE jobs SET lease_until = 0 WHERE worker = ? AND state = 'running'", (worker,)
        )
        connection.execute("DELETE FROM workers WHERE id = ?", (worker,))
