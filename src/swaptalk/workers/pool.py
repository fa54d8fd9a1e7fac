"""Pool of worker processes on this machine; a process that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from swaptalk.batch.status import Status
from swaptalk.batch.worker import Task, run_task


class Pool(Protocol):
    """A fixed number of places that run one task at a time each."""

    size: int

    def submit(self, place: int, task: Task) -> None:
        """Give a free place a task."""

    def finished(self, seconds: float) -> list[tuple[int, Status | None]]:
        """Wait at most so long; return the free places, with None if the worker died."""

    def close(self) -> None:
        """Stop all workers at once."""


def _leave_with_parent() -> None:
    """End this process when the process of the batch is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _serve(connection: Connection[Status, Task]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the batch's to handle
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(run_task(task))


class LocalPool:
    """Pool of processes on this machine.

    Args:
        size: number of processes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._context = multiprocessing.get_context("spawn")
        self._places: dict[int, tuple[BaseProcess, Connection[Task, Status]]] = {}
        self._busy: set[int] = set()

    def _started(self, place: int) -> Connection[Task, Status]:
        if place not in self._places:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(theirs,), daemon=False)
            process.start()
            theirs.close()
            self._places[place] = process, ours
        return self._places[place][1]

    def submit(self, place: int, task: Task) -> None:
        """Give a free place a task; start its process if there is none."""
        self._busy.add(place)
        try:
            self._started(place).send(task)
        except OSError:  # it died while it had nothing to do
            self._places.pop(place)[0].join()
            self._started(place).send(task)

    def finished(self, seconds: float) -> list[tuple[int, Status | None]]:
        """Wait at most so long; return the free places, with None if the process died."""
        by_connection = {
            connection: place
            for place, (_, connection) in self._places.items()
            if place in self._busy
        }
        results: list[tuple[int, Status | None]] = []
        for ready in wait(list(by_connection), seconds):
            place = by_connection[ready]  # type: ignore[index]
            process, connection = self._places[place]
            self._busy.discard(place)
            try:
                results.append((place, connection.recv()))
            except (EOFError, OSError):
                process.join()
                connection.close()
                del self._places[place]
                results.append((place, None))
        return results

    def close(self) -> None:
        """Stop all processes; finished chunks are kept for the next run."""
        for process, connection in self._places.values():
            connection.close()
            process.kill()
            process.join()
        self._places.clear()
