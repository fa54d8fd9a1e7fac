"""Has the frames of a job made on a Ray cluster, by the same workers as a batch.

Only the making goes there. The claim with its heartbeats, and the publication, stay with the worker
process beside the database: an actor writes into the folder of one attempt and nowhere else, and is
killed as soon as that is not wanted.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from swaptalk.batch.status import Status
from swaptalk.batch.worker import CORES_PER_WORKER, JobWorker, Reached, Task
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.job import Kind
from swaptalk.serving.worker.attempt import Attempt

if TYPE_CHECKING:
    from swaptalk.workers.cluster import ClusterPool

    _Cluster = ClusterPool[Task, Status, Reached]

#: Jobs that are made on the cluster. The others take seconds and somebody waits for them at the
#: screen.
ON_CLUSTER: tuple[Kind, ...] = ("render", "template")
#: Seconds between two looks at the actor.
LOOK_SECONDS = 0.3
#: An actor that has not started after so many seconds waits for room, or for a cluster that is
#: gone, which Ray does not tell: the worker process then joins again, which does.
ROOM_SECONDS = 300.0
#: Every worker process has one actor.
_PLACE = 0


class WorkerLostError(Exception):
    """The actor, or its machine, is gone."""


def connect(settings: ServeOptions) -> _Cluster | None:
    """Join the cluster that the settings name; None if they name none.

    Raises:
        InputError: Ray is not installed, or no such cluster answers.
    """
    if settings.ray is None:
        return None
    try:
        from swaptalk.workers.cluster import ClusterPool
    except ModuleNotFoundError as error:
        raise InputError(
            f"--ray needs a package that is not installed ({error.name})",
            remedy="pip install 'swaptalk[cluster]'",
        ) from None
    return ClusterPool(JobWorker, settings.ray, 1, settings.threads or CORES_PER_WORKER)


class ClusterMaker:
    """Stands in for :class:`SwapTalk` where a job is made on the cluster.

    Args:
        pool: the cluster.
        settings: of the server.
        attempt: told how far it is; ends the work by raising.
    """

    def __init__(self, pool: _Cluster, settings: ServeOptions, attempt: Attempt) -> None:
        self._pool, self._settings, self._attempt = pool, settings, attempt
        self._last, self._begun = Reached(), time.monotonic()

    def generate(self, options: GenerateOptions) -> None:
        """See :meth:`SwapTalk.generate`; raises also what :meth:`Attempt.check` does, and
        WorkerLostError.
        """
        self._make("row", options)

    def build_template(self, target: Path, output: Path, *, face: str) -> None:
        """See :meth:`SwapTalk.build_template`; raises as :meth:`generate`."""
        self._make("template", GenerateOptions(target=target, output=output, face=face))

    def _make(self, kind: Literal["row", "template"], options: GenerateOptions) -> None:
        output, settings = options.output, self._settings
        assert output is not None
        engine = replace(settings.engine, threads=settings.threads or CORES_PER_WORKER)
        # The folder is this job's alone, so its status file can be about nothing else.
        status = output.with_name("status.json")
        self._pool.submit(
            _PLACE,
            Task(output.name, kind, options, engine, status, fingerprint=output.name, frames=0),
        )
        ended: list[tuple[int, Status | None]] = []
        try:
            while not ended:
                ended = self._pool.finished(LOOK_SECONDS)
                self._follow(self._pool.reached(_PLACE))
        except BaseException:
            self._pool.stop(_PLACE)
            raise
        _raise_for(ended[0][1])

    def _follow(self, reached: Reached | None) -> None:
        """Pass on what is new. No news from an actor is no sign of life; waiting for room on the
        cluster is one.
        """
        attempt, last = self._attempt, self._last
        if reached is None and last == Reached():
            if time.monotonic() - self._begun > ROOM_SECONDS:
                attempt.begin_afresh()
            attempt.check()
        elif reached is None or reached == last:
            attempt.obey()
        else:
            if (reached.stage, reached.total, reached.first) != (
                last.stage,
                last.total,
                last.first,
            ):
                attempt.begin(reached.stage, reached.total, reached.first)
                last = replace(reached, done=reached.first)
            attempt.advance(reached.done - last.done)
            self._last = reached


def _raise_for(status: Status | None) -> None:
    if status is None:
        raise WorkerLostError
    if status.fault is not None:
        problem, path, remedy = (
            status.fault["problem"],
            status.fault["path"],
            status.fault["remedy"],
        )
        raise SwapTalkError(problem or "", path=path, remedy=remedy or "")
    if status.state != "done":
        raise RuntimeError(f"on the cluster: {status.error}")
