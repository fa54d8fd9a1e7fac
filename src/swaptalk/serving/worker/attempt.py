"""One attempt at a job: renew the lease during the work, and stop the work if needed."""

from __future__ import annotations

import logging
import os
import threading
import time
from types import TracebackType

from swaptalk.pipeline.progress import Progress
from swaptalk.serving.store.claims import Claims, LeaseLostError, Signal, Step
from swaptalk.serving.store.job import Job

log = logging.getLogger(__name__)


#: Seconds between heartbeats, which also carry the progress; many fit into a lease.
HEARTBEAT_SECONDS = 0.5
#: An attempt that finishes no frame for so long (seconds) hangs in a decoder: its process ends
#: itself, and the lease runs out. Long enough for the sound of a long video, which reports no
#: progress.
STALL_SECONDS = 900.0
EXIT_STALLED = 75


class CancelledError(Exception):
    """The user has cancelled the job."""


class StoppedError(Exception):
    """The worker is stopping; another one will continue the job."""


class Attempt(Progress):
    """Use it in a ``with`` block around the work, and as the work's progress.

    Args:
        claims: where heartbeats go.
        job: the claimed job.
        stopping: set when the worker is to stop.
    """

    def __init__(self, claims: Claims, job: Job, stopping: threading.Event) -> None:
        self._claims, self._job, self._stopping = claims, job, stopping
        self._step: Step | None = None
        self._moved = time.monotonic()
        self._signal = Signal.GO_ON
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Start a stage of ``total`` frames, ``done`` by earlier attempts."""
        self._step = Step(stage, total, done, done, time.time())
        self.check()

    def advance(self, count: int) -> None:
        """Count finished frames.

        Raises:
            CancelledError, StoppedError, LeaseLostError: the work must stop.
        """
        step = self._step
        if step is not None:
            self._step = Step(step.stage, step.total, step.first, step.done + count, step.begun)
        self.check()

    def check(self) -> None:
        """Record a sign of life and check whether to continue; raises as :meth:`advance`."""
        self._moved = time.monotonic()
        self.obey()

    def obey(self) -> None:
        """Check whether to continue, without a sign of life; raises as :meth:`advance`."""
        if self._signal is Signal.LOST:
            raise LeaseLostError(self._job.id)
        if self._signal is Signal.CANCEL:
            raise CancelledError
        if self._stopping.is_set():
            raise StoppedError

    def begin_afresh(self) -> None:
        """Give the job back without a failed attempt and end this process; raises StoppedError."""
        self._stopping.set()
        self.obey()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            self._beat_once()
            if time.monotonic() - self._moved > STALL_SECONDS:
                log.error("job %s hangs; this worker ends", self._job.id)
                os._exit(EXIT_STALLED)

    def _beat_once(self) -> None:
        try:
            self._signal = self._claims.heartbeat(self._job, self._step)
        except (
            Exception
        ) as error:  # a full disk must not end the thread: the lease runs out if it stays full
            log.warning("job %s: heartbeat failed: %s", self._job.id, error)

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
