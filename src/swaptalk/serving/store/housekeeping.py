"""Delete what is too old, and what dead processes have left behind."""

from __future__ import annotations

import shutil
import time

from swaptalk.serving.settings import Limits
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.job import DERIVED
from swaptalk.serving.store.jobs import JobBusyError, JobNotFoundError
from swaptalk.serving.store.uploads import UploadBusyError, UploadNotFoundError
from swaptalk.serving.store.workspace import Workspace

#: Seconds between two rounds.
EVERY_SECONDS = 60.0
#: Files that no row speaks of are left alone for so long (seconds): they may belong to a request on
#: its way.
ORPHAN_SECONDS = 3600.0
#: What was removed is told to listeners that come back within this time (seconds).
_REMOVALS_SECONDS = 86400.0


def delete_job(data: DataFolder, owner: str, job: str) -> None:
    """Delete an ended job and its files.

    Raises:
        JobNotFoundError: there is none.
        JobBusyError: it has not ended.
    """
    data.store.remove(owner, job)
    Workspace(data.jobs, job).remove()


def delete_upload(data: DataFolder, owner: str, upload: str) -> None:
    """Delete an upload, its pictures and its template.

    Raises:
        UploadNotFoundError: there is none.
        UploadBusyError: a job needs it.
    """
    derived = [data.store.for_upload(owner, upload, kind) for kind in DERIVED]
    data.uploads.remove(owner, upload)
    for job in derived:
        if job is not None and data.store.cancel(owner, job.id).has_ended:
            delete_job(data, owner, job.id)  # else it is deleted in the next round


def tidy(data: DataFolder, limits: Limits, now: float | None = None) -> None:
    """Delete expired jobs and uploads, then files without a row."""
    now = time.time() if now is None else now
    for job in [
        *data.store.ended_before(now - limits.keep_seconds),
        *data.store.derived_from_nothing(),
    ]:
        try:
            delete_job(data, job.owner, job.id)
        except (JobNotFoundError, JobBusyError):  # somebody else was faster
            continue
    for upload in data.uploads.unused_since(now - limits.keep_seconds):
        try:
            delete_upload(data, upload.owner, upload.id)
        except (UploadNotFoundError, UploadBusyError):
            continue
    data.uploads.sweep(now - ORPHAN_SECONDS)
    _sweep_jobs(data, now)
    with data.database.transaction() as connection:
        connection.execute("DELETE FROM removals WHERE at < ?", (now - _REMOVALS_SECONDS,))
        connection.execute("DELETE FROM sessions WHERE until < ?", (now,))


def _sweep_jobs(data: DataFolder, now: float) -> None:
    states = {
        row["id"]: row["state"]
        for row in data.database.connection.execute("SELECT id, state FROM jobs")
    }
    for folder in data.jobs.iterdir():
        if folder.name not in states:
            if folder.stat().st_mtime < now - ORPHAN_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        elif states[folder.name] in ("done", "failed", "cancelled"):
            for attempt in folder.glob("attempt-*"):
                if attempt.stat().st_mtime < now - ORPHAN_SECONDS:
                    shutil.rmtree(attempt, ignore_errors=True)
