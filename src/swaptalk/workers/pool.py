"""Pools of worker processes: one that replaces processes that die, and a parallel map."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar

import cv2

from swaptalk.workers.lifetime import end_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")
_Task_contra = TypeVar("_Task_contra", contravariant=True)
_Result_co = TypeVar("_Result_co", covariant=True)


class Worker(Protocol[_Task_contra, _Result_co]):
    """Run the tasks of one process; it is made inside that process."""

    def run(self, task: _Task_contra) -> _Result_co:
        """Run one task. Return errors in the result: an exception ends the process."""


class Pool(Protocol[_Task_contra, _Result_co]):
    """A fixed number of places that run one task at a time each."""

    size: int

    def submit(self, place: int, task: _Task_contra) -> None:
        """Give a free place a task."""

    def finished(self, seconds: float) -> Sequence[tuple[int, _Result_co | None]]:
        """Wait at most so long; return the free places, with None if the worker died."""

    def close(self) -> None:
        """Stop all workers at once."""


def _serve(make: Callable[[], Worker[Task, Result]], connection: Connection[Result, Task]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    end_with_parent()
    worker = make()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(worker.run(task))


class LocalPool(Generic[Task, Result]):
    """Pool of processes on this machine; a process that dies is replaced.

    Args:
        worker: makes the worker of a process; must be picklable, as tasks and results.
        size: number of processes.
    """

    def __init__(self, worker: Callable[[], Worker[Task, Result]], size: int) -> None:
        self.size = size
        self._worker = worker
        self._context = multiprocessing.get_context("spawn")
        self._places: dict[int, tuple[BaseProcess, Connection[Task, Result]]] = {}
        self._busy: set[int] = set()

    def _started(self, place: int) -> Connection[Task, Result]:
        if place not in self._places:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(
                target=_serve, args=(self._worker, theirs), daemon=False
            )
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

    def finished(self, seconds: float) -> list[tuple[int, Result | None]]:
        """Wait at most so long; return the free places, with None if the process died."""
        by_connection = {
            connection: place
            for place, (_, connection) in self._places.items()
            if place in self._busy
        }
        results: list[tuple[int, Result | None]] = []
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
        """Stop all processes at once."""
        for process, connection in self._places.values():
            connection.close()
            process.kill()
            process.join()
        self._places.clear()


#: The function of this process, made by `_start`.
_function: Callable[[Any], Any] | None = None


def map_unordered(
    make: Callable[[], Callable[[Task], Result]], tasks: Sequence[Task], processes: int
) -> Iterator[Result]:
    """Apply a function to each task, and yield the results as they come.

    Args:
        make: makes the function, once in each process (networks are loaded then); must be
            picklable if there are several.
        tasks: what it is applied to; picklable likewise.
        processes: at most so many; with one, or one task, all is done in this process.

    Raises:
        BrokenProcessPool: a process died.
        Exception: whatever the function raises; tasks that have not begun are not begun then.
    """
    processes = min(processes, len(tasks))
    if processes <= 1:
        yield from map(make(), tasks) if tasks else ()
        return
    # Processes are started afresh: the networks' threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start, (make,)) as executor:
        futures = [executor.submit(_apply, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _function
    end_with_parent()
    cv2.setNumThreads(1)  # as many processes as cores: more threads would be in each other's way
    _function = make()


def _apply(task: Any) -> Any:
    assert _function is not None
    return _function(task)
