"""Worker pool of actors on a Ray cluster (https://docs.ray.io) whose machines share folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import ray
import ray.exceptions

from swaptalk.errors import InputError
from swaptalk.workers.pool import Worker

Task = TypeVar("Task")
Result = TypeVar("Result")
Reached = TypeVar("Reached")
_T_contra = TypeVar("_T_contra", contravariant=True)
_R_co = TypeVar("_R_co", covariant=True)
_P_co = TypeVar("_P_co", covariant=True)


class ReportingWorker(Worker[_T_contra, _R_co], Protocol[_T_contra, _R_co, _P_co]):
    """Worker that reports progress while it runs a task."""

    def reached(self) -> _P_co:
        """Return the progress of the current task; called from another thread."""


class ClusterPool(Generic[Task, Result, Reached]):
    """Pool of actors on a Ray cluster.

    Args:
        worker: makes the worker of an actor; pickled.
        address: as of ``ray.init``: ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``.
        size: number of workers; 0: as many as fit.
        threads: CPUs requested by each actor.

    Raises:
        InputError: the cluster cannot be reached.
    """

    def __init__(
        self,
        worker: Callable[[], ReportingWorker[Task, Result, Reached]],
        address: str,
        size: int,
        threads: int,
    ) -> None:
        try:
            ray.init(
                address=address, log_to_driver=False, logging_level="ERROR", configure_logging=False
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"no Ray cluster answers at {address} ({' '.join(str(error).split())[:120]})",
                remedy="start one with 'ray start --head', or correct --ray",
            ) from error
        self.size = size or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        # A worker that dies is not started again by Ray: the batch counts attempts and decides.
        # Two methods at a time: one works, the other tells how far that is.
        self._actor = ray.remote(
            num_cpus=threads, max_restarts=0, max_task_retries=0, max_concurrency=2
        )(worker)
        self._places: dict[int, Any] = {}
        self._running: dict[Any, int] = {}
        self._asked: dict[int, Any] = {}

    def submit(self, place: int, task: Task) -> None:
        """Give a free place a task; start its actor if there is none."""
        if place not in self._places:
            self._places[place] = self._actor.remote()
        self._running[self._places[place].run.remote(task)] = place

    def finished(self, seconds: float) -> list[tuple[int, Result | None]]:
        """Wait at most so long; return the free places, with None if the worker died."""
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds)
        results: list[tuple[int, Result | None]] = []
        for reference in ready:
            place = self._running.pop(reference)
            try:
                results.append((place, ray.get(reference)))
            except ray.exceptions.RayError:
                del self._places[place]
                self._asked.pop(place, None)
                results.append((place, None))
        return results

    def reached(self, place: int) -> Reached | None:
        """Return the progress of a place without waiting; None if unknown."""
        if place not in self._places:
            return None
        if place not in self._asked:
            self._asked[place] = self._places[place].reached.remote()
        if not ray.wait([self._asked[place]], timeout=0)[0]:
            return None
        try:
            found: Reached = ray.get(self._asked.pop(place))
        except ray.exceptions.RayError:  # it died, as `finished` says, too
            return None
        return found

    def stop(self, place: int) -> None:
        """Kill the worker of a place; the next task gets a new one."""
        self._asked.pop(place, None)
        self._running = {reference: at for reference, at in self._running.items() if at != place}
        if place in self._places:
            ray.kill(self._places.pop(place))

    def close(self) -> None:
        """Stop the actors and leave the cluster."""
        for actor in self._places.values():
            ray.kill(actor)
        self._places.clear()
        ray.shutdown()
