"""A worker process: claim and run jobs until it is stopped or its server is gone.

It is started by ``worker_process`` with one line of JSON on its standard input: name, kinds of
jobs, and the server's settings. Standard input then stays open; its end means that the server has
died.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from swaptalk.errors import SwapTalkError
from swaptalk.serving.log import begin_log
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.claims import Claims, LeaseLostError
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.job import Job, Kind
from swaptalk.serving.store.workspace import Workspace
from swaptalk.serving.user_messages import explain
from swaptalk.serving.worker.attempt import Attempt, CancelledError, StoppedError
from swaptalk.serving.worker.cluster import WorkerLostError
from swaptalk.serving.worker.tasks import Tasks
from swaptalk.workers.lifetime import end_with_input
from swaptalk.workers.memory import limit_arenas

log = logging.getLogger(__name__)

#: Seconds between two looks for a job.
POLL_SECONDS = 0.4
#: Seconds between two signs of life.
REGISTER_SECONDS = 10.0
#: Settings that are paths, which JSON does not tell from texts.
_PATHS = ("data", "models", "certificate", "key")


class Worker:
    """Runs one job after another.

    Args:
        name: of this process, never used before.
        kinds: the jobs that it takes.
        settings: of the server.

    Raises:
        InputError: the data folder cannot be used, or the Ray cluster cannot be joined.
    """

    def __init__(self, name: str, kinds: Sequence[Kind], settings: ServeOptions) -> None:
        self._kinds = kinds
        self._data = DataFolder(settings.folder)
        self._claims = Claims(self._data.database, name, settings.attempts)
        self._tasks = Tasks(settings, kinds, self._data.uploads, self._data.jobs, self._claims)
        self.stopping = threading.Event()

    def run(self) -> None:
        """Work until :attr:`stopping` is set."""
        registered = -REGISTER_SECONDS
        while not self.stopping.is_set():
            if time.monotonic() - registered >= REGISTER_SECONDS:
                self._claims.register(os.getpid(), self._kinds)
                registered = time.monotonic()
            job = self._claims.claim(self._kinds)
            if job is None:
                self.stopping.wait(POLL_SECONDS)
            else:
                self._do(job)

    def _do(self, job: Job) -> None:
        space = Workspace(self._data.jobs, job.id)
        try:
            log.info("job %s (%s) begins, claim %d", job.id, job.kind, job.token)
            with Attempt(self._claims, job, self.stopping) as attempt:
                self._tasks.run(job, attempt)
            log.info("job %s is done", job.id)
        except LeaseLostError:
            log.info("job %s was taken over by another worker", job.id)
            space.clear(job.token)
        except StoppedError:
            log.info("job %s is given back", job.id)
            self._claims.release(job)
        except WorkerLostError:
            log.warning("job %s: its worker on the cluster is gone", job.id)
            self._claims.abandon(job)
        except CancelledError:
            log.info("job %s is cancelled", job.id)
            self._end(job, space, lambda: self._claims.cancelled(job))
        except SwapTalkError as error:
            log.info("job %s failed: %s", job.id, error)
            said = explain(error, self._tasks.inputs(job), self._tasks.entries(job))
            self._end(job, space, lambda: self._claims.fail(job, said))
        except Exception:
            log.exception("job %s met a fault of the program", job.id)
            self._again(job)

    @staticmethod
    def _end(job: Job, space: Workspace, end: Callable[[], None]) -> None:
        try:
            end()
        except LeaseLostError:
            pass
        space.clear(job.token)

    def _again(self, job: Job) -> None:
        """Put a job back after an unexpected error."""
        try:
            self._claims.fail(
                job,
                {
                    "title": "Something went wrong in the server",
                    "detail": "This is a fault of the program, not yours.",
                    "remedy": "Try again; if it happens again, tell whoever runs the server to "
                    "look into its log.",
                },
                retry=True,
            )
        except LeaseLostError:
            pass


def main() -> NoReturn:
    """Run a worker with the settings on standard input."""
    said = json.loads(sys.stdin.buffer.readline())
    end_with_input()
    settings: dict[str, Any] = {
        name: Path(value) if name in _PATHS and value is not None else value
        for name, value in said["settings"].items()
    }
    # Ctrl-C reaches the whole group; the server decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_arenas()
    code = 0
    try:
        options = ServeOptions(**settings)
        begin_log(options.log_level)
        worker = Worker(said["name"], said["kinds"], options)
        # Ray, once joined, had its own.
        signal.signal(signal.SIGTERM, lambda number, frame: worker.stopping.set())
        worker.run()
    except SwapTalkError as error:
        log.error("a worker cannot work: %s", error)
        code = 1
    except BaseException:  # also then: the supervisor starts another as soon as this one is gone
        log.exception("a worker ends")
        code = 1
    sys.stderr.flush()
    os._exit(code)  # the destructors of the engines' thread pools may wait for each other forever
