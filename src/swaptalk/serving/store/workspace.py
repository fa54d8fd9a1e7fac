"""Folders of a job, and how an attempt takes over from the one before."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from swaptalk.pipeline.job import is_worked_on
from swaptalk.serving.store.uploads import sync_folder


class Workspace:
    """The folder of one job: published files, and a folder ``attempt-TOKEN`` for each claim.

    Args:
        jobs: folder of all jobs.
        job: name of the job, from the database.
    """

    def __init__(self, jobs: Path, job: str) -> None:
        self.path = jobs / job

    def file(self, name: str) -> Path:
        """A published file; ``name`` must not come from a user."""
        return self.path / name

    def attempt(self, token: int) -> Path:
        """Return the folder of the claim with this token."""
        return self.path / f"attempt-{token}"

    def begin(self, token: int, output: str) -> Path:
        """Make the attempt's folder, with what the latest attempt before it left.

        If that one's process is gone its folder is taken as it is. If it still lives (it slept
        through its lease) finished chunks are copied, so that whatever it does when it wakes up
        happens elsewhere.

        Args:
            token: of the claim.
            output: name of the file that is made in the folder.
        """
        folder = self.attempt(token)
        self.path.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            return folder
        before = [number for number in self._attempts() if number < token]
        if not before:
            folder.mkdir()
        elif is_worked_on(self.attempt(max(before)) / output):
            shutil.copytree(
                self.attempt(max(before)), folder, ignore=shutil.ignore_patterns("*.part", "lock")
            )
        else:
            self.attempt(max(before)).rename(folder)
        return folder

    def _attempts(self) -> Iterable[int]:
        names = (path.name.removeprefix("attempt-") for path in self.path.glob("attempt-*"))
        return [int(name) for name in names if name.isdecimal()]

    def publish(self, token: int, names: Iterable[str]) -> None:
        """Move an attempt's files to their place and sync; call it only while the claim holds."""
        for name in names:
            made = self.attempt(token) / name
            if made.exists():
                made.replace(self.file(name))
        sync_folder(self.path)

    def clear(self, token: int) -> None:
        """Delete the folders of this attempt and of those before it."""
        for number in self._attempts():
            if number <= token:
                shutil.rmtree(self.attempt(number), ignore_errors=True)

    def remove(self) -> None:
        """Delete everything of the job."""
        shutil.rmtree(self.path, ignore_errors=True)
