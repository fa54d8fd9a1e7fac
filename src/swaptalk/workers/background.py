"""Run an iterator in a thread behind a bounded queue: the link between two pipeline stages."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

#: How often a waiting stage looks whether it is still wanted, in seconds: the longest it takes a
#: pipeline to stop.
POLL_SECONDS = 0.1
#: How long a stage may keep Python's lock from the others, in seconds. Python's own 5 ms are as
#: long as a stage needs for a frame: the networks waited for it, and two cores made 6 % fewer
#: frames.
TURN_SECONDS = 0.0005


@contextmanager
def short_turns() -> Iterator[None]:
    """Shorten the switch interval of threads to `TURN_SECONDS` while stages run in parallel."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@dataclass(frozen=True)
class _Failure:
    error: BaseException


class _End:
    pass


def background(make: Callable[[], Iterable[T]], depth: int, name: str) -> Generator[T, None, None]:
    """Yield the items of ``make()``, produced by a thread that runs at most ``depth`` items ahead.

    An exception in the producer is raised in the consumer, after the items produced before it.
    Closing this generator (or an exception in the consumer) stops the producer, which closes its
    own input: a chain of stages ends together. The thread has ended when this
    generator has.

    Args:
        make: called in the thread; builds the iterator, so that files opened by it belong to that
            thread.
        depth: bound of the queue, at least one.
        name: name of the thread, seen in tracebacks and debuggers.
    """
    with closing(background_batches(make, depth, name, 1)) as batches:
        for batch in batches:
            yield from batch


def background_batches(
    make: Callable[[], Iterable[T]],
    depth: int,
    name: str,
    most: int,
) -> Generator[list[T], None, None]:
    """Yield the items in lists of 1 to ``most``: wait for one, take those that are ready."""
    items: queue.Queue[T | _Failure | _End] = queue.Queue(maxsize=max(1, depth))
    stop = threading.Event()
    thread = threading.Thread(target=_produce, args=(make, items, stop), name=name, daemon=True)
    thread.start()
    try:
        last: T | _Failure | _End | None = None
        while not isinstance(last, _End | _Failure):
            batch: list[T] = []
            while len(batch) < most and not isinstance(last, _End | _Failure):
                try:  # a timeout keeps Ctrl-C working on every system
                    last = items.get(timeout=POLL_SECONDS, block=not batch)
                except queue.Empty:
                    if batch:
                        break
                    continue
                if not isinstance(last, _End | _Failure):
                    batch.append(last)
            if batch:
                yield batch
        if isinstance(last, _Failure):
            raise last.error
    finally:
        stop.set()
        thread.join()


def _produce(
    make: Callable[[], Iterable[T]], items: queue.Queue[T | _Failure | _End], stop: threading.Event
) -> None:
    """Thread function: put all items into the queue, then the end or the error."""

    def put(item: T | _Failure | _End) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    iterator: Iterator[T] | None = None
    try:
        iterator = iter(make())
        for item in iterator:
            if not put(item):
                return
        put(_End())
    except BaseException as error:  # whatever it is, the consumer must hear of it
        put(_Failure(error))
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
