"""Status of each row on disk: one file a row, replaced atomically, from which a run resumes."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from swaptalk.storage.files import write_atomically

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Status:
    """State of one row or of one shared template."""

    name: str
    fingerprint: str
    """Fingerprint of inputs and options; if it differs, the row is a new job."""
    state: State = "waiting"
    attempts: int = 0
    """Number of attempts so far."""
    error: str | None = None
    fault: dict[str, str | None] | None = None
    """``problem``, ``path`` and ``remedy`` of an error that the user can correct."""
    output: str | None = None
    frames: int = 0
    seconds: float = 0.0
    """Duration of the last attempt."""
    worker: str | None = None
    """host:process of the last attempt."""

    def begun(self) -> Status:
        """Return the status at the start of an attempt by this process."""
        return replace(
            self,
            state="running",
            attempts=self.attempts + 1,
            error=None,
            fault=None,
            worker=this_worker(),
        )


def this_worker() -> str:
    """Return host:process of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def read_status(path: Path, name: str, fingerprint: str) -> Status:
    """Read a status; a missing or unreadable file, or one of another job, gives a new status."""
    try:
        status = Status(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Status(name, fingerprint)
    return status if status.fingerprint == fingerprint else Status(name, fingerprint)


def write_status(path: Path, status: Status) -> None:
    """Write a status atomically."""
    write_atomically(path, json.dumps(asdict(status), indent=1))
