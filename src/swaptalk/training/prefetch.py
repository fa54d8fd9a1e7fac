"""Prefetch batches in threads; batch k is always the same batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

#: Batches waiting for each thread.
_AHEAD = 2


class Prefetcher(Generic[T]):
    """Gives ``make(first)``, ``make(first + 1)``, ... in order; threads work ahead. A context
    manager.

    ``make`` depends on nothing but its number, which makes the data position of a run a single
    integer. An error in it is raised where its batch is asked for.

    Args:
        make: builds one batch; called from several threads at once.
        first: number of the first batch.
        threads: 0 builds each batch when it is asked for.
    """

    def __init__(self, make: Callable[[int], T], first: int, threads: int) -> None:
        self._make, self._number, self._depth = make, first, threads * _AHEAD
        self._pool = ThreadPoolExecutor(threads, "batch") if threads else None
        self._waiting: deque[Future[T]] = deque()

    def __next__(self) -> T:
        """Return the next batch."""
        if self._pool is None:
            self._number += 1
            return self._make(self._number - 1)
        while len(self._waiting) < self._depth:
            self._waiting.append(self._pool.submit(self._make, self._number))
            self._number += 1
        return self._waiting.popleft().result()

    def __enter__(self) -> Prefetcher[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
