"""Waits for what other processes do. Nothing here measures time; the limit only keeps a broken
program from holding up the tests for good.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds after which something is not coming any more, also on a busy machine.
LIMIT = 300.0


def until(condition: Callable[[], bool], what: str = "it", pause: float = 0.01) -> None:
    """Return once a condition holds that another process or thread brings about.

    It is looked at every ``pause`` seconds.
    """
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"{what} does not happen"
        time.sleep(pause)


def until_ended(pid: int) -> None:
    """Return once a process has ended, whether or not its parent has asked for it."""
    if hasattr(os, "pidfd_open"):
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            assert select.select([process], [], [], LIMIT)[0], f"process {pid} does not end"
        finally:
            os.close(process)
    else:
        until(lambda: not is_alive(pid), f"the end of process {pid}")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not asked for by its parent does not."""
    place = Path(f"/proc/{pid}/stat")
    try:
        return place.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def until_line(process: subprocess.Popen[str], begin: str) -> bool:
    """Read what a process prints up to a line with this beginning; whether there was one."""
    assert process.stdout is not None
    return any(line.startswith(begin) for line in iter(process.stdout.readline, ""))
