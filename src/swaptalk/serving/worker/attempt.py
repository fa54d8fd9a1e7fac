"""One attempt at a job: keeps the lease while the work goes on, and stops the work when it must."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType

from swaptalk.pipeline.progress import Progress
from swaptalk.serving.store.claims import Claims, LeaseLostError, Signal, Step
from swaptalk.serving.store.jobs import Job

#: Seconds between heartbeats, which also carry the progress; many fit into a lease.
HEARTBEAT_SECONDS = 0.5
#: An attempt that finishes no frame for so long (seconds) hangs in a decoder: its process ends
#: itself, and the lease runs out. Long enough for the sound of a long video, which reports no
#: progress.
STALL_SECONDS = 900.0
EXIT_STALLED = 75


class CancelledError(Exception):
    """The user does not want the result any more."""


class StoppedError(Exception):
    """The worker shall end; the job will be gone on with by another."""


class Attempt(Progress):
    """Use it in a ``with`` block around the work, and as the work's progress.

    Args:
        claims: where heartbeats go.
        job: the claimed job.
        stopping: set when the worker shall end.
    """

    def __init__(self, claims: Claims, job: Job, stopping: threading.Event) -> None:
        self._claims, self._job, self._stopping = claims, job, stopping
        self._step: Step | None = None
        self._moved = time.monotonic()
        self._signal = Signal.GO_ON
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """A stage of ``total`` frames begins, of which earlier attempts have ``done``."""
        self._step = Step(stage, total, done, done, time.time())
        self.check()

    def advance(self, count: int) -> None:
        """So many more frames are finished.

        Raises:
            CancelledError, StoppedError, LeaseLostError: the work shall not go on.
        """
        step = self._step
        if step is not None:
            self._step = Step(step.stage, step.total, step.first, step.done + count, step.begun)
        self.check()

    def check(self) -> None:
        """Note that the work is alive, and see whether it shall go on; raises as
        :meth:`advance`.
        """
        self._moved = time.monotonic()
        self.obey()

    def obey(self) -> None:
        """See whether the work shall go on, without a sign that it does; raises as
        :meth:`advance`.
        """
        if self._signal is Signal.LOST:
            raise LeaseLostError(self._job.id)
        if self._signal is Signal.CANCEL:
            raise CancelledError
        if self._stopping.is_set():
            raise StoppedError

    def begin_afresh(self) -> None:
        """Give the job back, which is no failed attempt, and end this worker process; raises
        StoppedError.
        """
        self._stopping.set()
        self.obey()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            self._beat_once()
            if time.monotonic() - self._moved > STALL_SECONDS:
                print(f"job {self._job.id} hangs; this worker ends", file=sys.stderr, flush=True)
                os._exit(EXIT_STALLED)

    def _beat_once(self) -> None:
        try:
            self._signal = self._claims.heartbeat(self._job, self._step)
        except (
            Exception
        ) as error:  # a full disk must not end the thread: the lease runs out if it stays full
            print(f"job {self._job.id}: heartbeat failed: {error}", file=sys.stderr, flush=True)

    def __enter__(self) -> Attempt:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
