"""Give tasks to the places of a pool, in an order in which shared templates come first."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from swaptalk.batch.status import Status, read_status, write_status
from swaptalk.batch.worker import Task
from swaptalk.workers.pool import Pool

#: How often progress is told while nothing finishes, in seconds.
TICK_SECONDS = 1.0


@dataclass(frozen=True)
class BatchProgress:
    """Progress of a batch."""

    done: int
    failed: int
    total: int
    seconds_left: float | None
    """Estimate from the frames of this run; None before the first is finished."""
    last: Status | None = None
    """The row or template that has just finished."""


class Scheduler:
    """Gives tasks to the places of a pool until every row is done or given up."""

    def __init__(
        self,
        pool: Pool[Task, Status],
        todo: Sequence[Task],
        templates: dict[str, Task],
        total: int,
        attempts: int,
        told: Callable[[BatchProgress], object],
    ) -> None:
        self._pool, self._attempts, self._told, self._total = pool, attempts, told, total
        self._tried: defaultdict[str, int] = defaultdict(int)
        self._waiting: deque[Task] = deque()
        self._blocked: defaultdict[str, list[Task]] = defaultdict(list)
        self._running: dict[int, Task] = {}
        self._failed = 0
        self._left = len(todo)
        needed = {
            templates[task.name].name: templates[task.name]
            for task in todo
            if task.name in templates
        }
        self._frames_left = sum(task.frames for task in [*todo, *needed.values()])
        self._frames_done, self._begun = 0, time.monotonic()
        for template in needed.values():
            self._waiting.append(template)
        for task in todo:
            if task.name in templates:
                self._blocked[templates[task.name].name].append(task)
            else:
                self._waiting.append(task)

    def run(self) -> None:
        """Run until every row is done or given up."""
        while self._waiting or self._running:
            for place in range(self._pool.size):
                if place not in self._running and self._waiting:
                    task = self._running[place] = self._waiting.popleft()
                    self._tried[task.name] += 1
                    self._pool.submit(place, task)
            last = None
            for place, status in self._pool.finished(TICK_SECONDS):
                last = self._take(self._running.pop(place), status)
            self._tell(last)

    def _take(self, task: Task, status: Status | None) -> Status:
        if status is None:  # its worker is gone; it may have finished first, and then it says so
            status = read_status(task.status, task.name, task.fingerprint)
            if status.state != "done":
                status = replace(
                    status,
                    state="waiting",
                    error="the worker process was killed or its machine was lost",
                )
        if status.state == "waiting":
            if self._tried[task.name] < self._attempts:
                write_status(task.status, status)
                self._waiting.append(task)
                return status
            status = replace(status, state="failed")
        write_status(task.status, status)
        self._finish(task, status)
        return status

    def _finish(self, task: Task, status: Status) -> None:
        self._frames_left -= task.frames
        self._frames_done += task.frames
        blocked = self._blocked.pop(task.name, [])
        if status.state == "done":
            self._waiting.extendleft(reversed(blocked))
        for row in blocked if status.state == "failed" else ():
            unmade = read_status(row.status, row.name, row.fingerprint)
            failed = replace(
                unmade, state="failed", error=f"its target could not be analysed: {status.error}"
            )
            write_status(row.status, failed)
            self._finish(row, failed)
        if task.kind == "row":
            self._left -= 1
            self._failed += status.state == "failed"

    def _tell(self, last: Status | None) -> None:
        left = None
        if self._frames_done:
            left = (time.monotonic() - self._begun) / self._frames_done * self._frames_left
        self._told(
            BatchProgress(
                self._total - self._left - self._failed, self._failed, self._total, left, last
            )
        )
