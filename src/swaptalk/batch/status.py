"""What became of each row, one file a row, written whole or not at all: what a later run goes on
from.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from swaptalk.pipeline.job import write_atomically

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Status:
    """State of one row or of one shared template."""

    name: str
    fingerprint: str
    """Of the inputs and options; another one means another job."""
    state: State = "waiting"
    attempts: int = 0
    """How often it was begun."""
    error: str | None = None
    fault: dict[str, str | None] | None = None
    """The error's ``problem``, ``path`` and ``remedy`` where it is one that its user can act on."""
    output: str | None = None
    frames: int = 0
    seconds: float = 0.0
    """Time that the last attempt took."""
    worker: str | None = None
    """host:process that works or worked on it."""

    def begun(self) -> Status:
        """One more attempt, by this process."""
        return replace(
            self,
            state="running",
            attempts=self.attempts + 1,
            error=None,
            fault=None,
            worker=this_worker(),
        )


def this_worker() -> str:
    """host:process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def read_status(path: Path, name: str, fingerprint: str) -> Status:
    """What is known of a job; a file that is missing, unreadable or about another job means nothing
    is.
    """
    try:
        status = Status(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Status(name, fingerprint)
    return status if status.fingerprint == fingerprint else Status(name, fingerprint)


def write_status(path: Path, status: Status) -> None:
    """Put the state on disk, whole or not at all."""
    write_atomically(path, json.dumps(asdict(status), indent=1))
