"""The job folder beside the output: finished work, and whether a job can be resumed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from swaptalk.errors import InputError
from swaptalk.storage.files import beside, write_atomically
from swaptalk.storage.locks import lock_file

#: Changes whenever the layout or meaning of the job folder does, so that an older one is not gone
#: on with.
FORMAT = 5
#: Written into the analysis folder last: its presence says that the first pass is complete.
ANALYSIS_RECORD = "analysis.json"
#: A job's files in its folder before its record is there.
_LOCK, _RECORD = "lock", "job.json"


def version() -> str:
    """Version of the installed package, or ``unknown`` in a bare source tree."""
    try:
        return importlib.metadata.version("swaptalk")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def job_fingerprint(inputs: Iterable[str], settings: Mapping[str, str]) -> str:
    """Hash the inputs' fingerprints, in order, and everything else that decides the output."""
    parts = {
        "format": FORMAT,
        "version": version(),
        "settings": dict(sorted(settings.items())),
        "inputs": list(inputs),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def job_path(output: Path) -> Path:
    """Return the job folder of an output."""
    return beside(output, ".job")


class OtherJobError(InputError):
    """The unfinished job was started with different inputs, options, weights or version."""


class JobFolder:
    """``OUT.mp4.job`` (:func:`job_path`) beside ``OUT.mp4``: analysis and finished chunks of one
    job. Use it in a ``with`` block.

    On leaving the block the folder is deleted if the job is finished, or if nothing in it is worth
    going on from.

    Args:
        output: the video to be made.
        fingerprint: from :func:`job_fingerprint`.
    """

    def __init__(self, output: Path, fingerprint: str) -> None:
        self.path = job_path(output)
        self._fingerprint = fingerprint
        self._lock: IO[bytes] | None = None
        self._is_finished = False

    def begin(self, resume: bool) -> None:
        """Make the folder ready: empty, or with ``resume`` as the interrupted job left it.

        Raises:
            InputError: resuming was asked for but the folder belongs to other inputs, options or
                weights; something else lies where the folder must be; or another program works in
                it.
        """
        if self.path.exists() and not self._just_begun():
            if not self._record.exists():
                raise InputError(
                    "the job's working folder would have to go here",
                    path=self.path,
                    remedy="move what is there away, or give another --output",
                )
            if resume and self._recorded() != self._fingerprint:
                raise OtherJobError(
                    "this unfinished job has other inputs, options or weights",
                    path=self.path,
                    remedy="repeat the command it was started with, or leave out --resume to start "
                    "afresh",
                )
        self.path.mkdir(exist_ok=True)
        self._lock = lock_file(self.path / _LOCK)
        if not resume:
            self._drop_work()
        # Before anything else is made: a job that is killed here leaves what `_just_begun` knows.
        write_atomically(self._record, json.dumps({"fingerprint": self._fingerprint}))
        self.chunks.mkdir(exist_ok=True)
        self.analysis.mkdir(exist_ok=True)

    def _drop_work(self) -> None:
        """Delete finished work; the record, which says whose folder this is, stays."""
        for folder in (self.chunks, self.analysis):
            shutil.rmtree(folder, ignore_errors=True)

    def _just_begun(self) -> bool:
        """Whether the folder holds no more than a job that was killed before its record was
        written leaves.
        """
        own = {_LOCK, beside(self._record, ".part").name}
        return self.path.is_dir() and {entry.name for entry in self.path.iterdir()} <= own

    def _recorded(self) -> str:
        try:
            return str(json.loads(self._record.read_text(encoding="utf-8"))["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    @property
    def _record(self) -> Path:
        return self.path / _RECORD

    @property
    def analysis(self) -> Path:
        """Return the folder of the first pass's results."""
        return self.path / "analysis"

    @property
    def chunks(self) -> Path:
        """Return the folder of the finished chunks."""
        return self.path / "chunks"

    def unsigned(self, suffix: str) -> Path:
        """Return the file of the joined output before signing."""
        return self.path / f"unsigned{suffix}"

    def chunk(self, number: int) -> Path:
        """Return the file of a finished chunk."""
        return self.chunks / f"{number:06d}.mp4"

    def smoothing(self, number: int) -> Path:
        """File of what is smoothed over time, as it was after chunk ``number``."""
        return self.chunks / f"{number:06d}.npz"

    def finished(self) -> None:
        """Mark the job as finished: the folder can be deleted."""
        self._is_finished = True

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is None:
            return  # never begun: what lies there is not ours
        self._lock.close()
        worth_keeping = (self.analysis / ANALYSIS_RECORD).exists()
        if self._is_finished or not worth_keeping:
            self._drop_work()
            shutil.rmtree(self.path, ignore_errors=True)


def is_worked_on(output: Path) -> bool:
    """Return whether a living process works on this output."""
    lock = job_path(output) / _LOCK
    if not lock.exists():
        return False
    try:
        lock_file(lock).close()
    except InputError:
        return True
    return False
