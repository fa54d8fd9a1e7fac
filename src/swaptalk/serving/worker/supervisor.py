"""Start the worker processes and restart those that die."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.claims import release_worker
from swaptalk.serving.store.database import Database
from swaptalk.serving.store.job import Kind

log = logging.getLogger(__name__)


#: Jobs that a user waits for at the screen have a process of their own, so that a long render does
#: not hold them up.
QUICK: tuple[Kind, ...] = ("inspect", "preview")
SLOW: tuple[Kind, ...] = ("render", "template")
#: Seconds between two looks at the processes.
WATCH_SECONDS = 0.3
#: A process that lived shorter than this (seconds) is started again only after as long a wait: it
#: may die at once.
SHORT_LIFE = 5.0
#: Seconds that processes have to give their jobs back when the server stops.
STOP_SECONDS = 8.0


@dataclass
class _Process:
    """One place for a worker: the process that fills it now."""

    kinds: tuple[Kind, ...]
    name: str = ""
    process: subprocess.Popen[bytes] | None = None
    begun: float = 0.0


class Supervisor:
    """Starts the workers and replaces those that die.

    Args:
        settings: of the server.
        database: where a dead worker's jobs are released.
    """

    def __init__(self, settings: ServeOptions, database: Database) -> None:
        self._settings, self._database = settings, database
        self._data = [_Process(QUICK), *(_Process(SLOW) for _ in range(settings.workers))]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all workers and watch them."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the workers; kill those that do not give their jobs back."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        """What the thread does. It outlives the workers, which on Linux end with the thread that
        started them.
        """
        _release_dead(self._database)
        while not self._stopping.is_set():
            for place in self._data:
                self._keep(place)
            self._stopping.wait(WATCH_SECONDS)
        self._end_all()

    def _end_all(self) -> None:
        processes = [place.process for place in self._data if place.process is not None]
        for process in processes:
            process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for place in self._data:
            release_worker(self._database, place.name)

    def _keep(self, place: _Process) -> None:
        if place.process is not None:
            code = place.process.poll()
            if code is None:
                return
            log.warning("a worker ended with code %d, another takes its place", code)
            release_worker(self._database, place.name)
            place.process = None
        if time.monotonic() - place.begun >= SHORT_LIFE or not place.begun:
            self._start(place)

    def _start(self, place: _Process) -> None:
        settings = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in dataclasses.asdict(self._settings).items()
        }
        place.name, place.begun = secrets.token_hex(6), time.monotonic()
        order = {
            "name": place.name,
            "kinds": place.kinds,
            "settings": {**settings, "data": str(self._settings.folder)},
        }
        place.process = subprocess.Popen(
            [sys.executable, "-m", "swaptalk.serving.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
        )
        log.info("worker %d starts, for %s", place.process.pid, ", ".join(place.kinds))
        assert place.process.stdin is not None
        try:
            place.process.stdin.write(json.dumps(order).encode() + b"\n")
            place.process.stdin.flush()
        except BrokenPipeError:
            pass  # it died at once; the next look finds that


def _release_dead(database: Database) -> None:
    """Let the jobs of workers that died with an earlier server be claimed now instead of after
    their lease.

    Only one server uses a folder, so whatever is registered here has worked for one that is gone. A
    process that has got the number of a dead one only means waiting for the lease.
    """
    if os.name != "posix":  # elsewhere there is no harmless signal to ask with
        return
    for row in database.connection.execute("SELECT id, pid FROM workers").fetchall():
        if not is_running(row["pid"]):
            release_worker(database, row["id"])


def is_running(pid: int) -> bool:
    """Whether a process runs. One that has ended, but whose parent has not asked how (a zombie, as
    containers without an init process keep them), does not.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives, and is somebody else's
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # no such folder, or it has ended since
        return True
    return state.rpartition(")")[2].split()[0] != "Z"
