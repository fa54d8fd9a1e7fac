"""Pool of decoding processes, reused from file to file."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swaptalk.errors import SwapTalkError
from swaptalk.media.limits import Limits
from swaptalk.media.sandbox.decoder import DecoderProcess
from swaptalk.storage.files import check_input_file

#: Idle processes kept for the next files: a job reads from two at once at most. Each takes some 45
#: MB.
MAX_IDLE = 2
#: The watchdog looks this often, in seconds.
_WATCH_SECONDS = 1.0

# Re-entrant, since a reader that is garbage gives its process back whenever the collector happens
# to run.
_lock = threading.RLock()
_idle: list[DecoderProcess] = []
_living: weakref.WeakSet[DecoderProcess] = weakref.WeakSet()
_watchdog: threading.Thread | None = None
_finished_peak = 0
_early: threading.Thread | None = None


def prepare() -> None:
    """Start a process in the background, while other things load."""
    global _early
    with _lock:
        if _early is None and not _idle:
            _early = threading.Thread(target=_start_early, name="decoder start", daemon=True)
            _early.start()


def _start_early() -> None:
    with contextlib.suppress(SwapTalkError):  # whoever borrows one will hear of it
        process = _start(Limits.from_environment())
        with _lock:
            _idle.append(process)


def borrow(path: Path) -> DecoderProcess:
    """Borrow a process for a file; return it with :func:`give_back`.

    Raises:
        InputError: no such file, or it is empty or cannot be read.
        SwapTalkError: no process can be started.
    """
    check_input_file(path)
    limits = Limits.from_environment()
    process: DecoderProcess | None = None
    if _early is not None:
        _early.join()
    with _lock:
        fitting = [one for one in _idle if one.limits == limits and one.alive]
        if fitting:
            process = fitting[-1]
            _idle.remove(process)
    if process is None:
        process = _start(limits)
    process.begin(path)
    return process


def _start(limits: Limits) -> DecoderProcess:
    global _watchdog
    process = DecoderProcess(limits)
    with _lock:
        _living.add(process)
        if _watchdog is None:
            _watchdog = threading.Thread(target=_watch, name="decoder watchdog", daemon=True)
            _watchdog.start()
    process.wait_ready()
    return process


def give_back(process: DecoderProcess) -> None:
    """Return a process to the pool, or close it if it is dead or not needed."""
    try:
        if process.alive:
            process.ask({"do": "close"})
    except SwapTalkError:
        pass  # it is dead now
    surplus: list[DecoderProcess] = []
    with _lock:
        if process.alive:
            _idle.append(process)
        else:
            surplus.append(process)
        while len(_idle) > MAX_IDLE:
            surplus.append(_idle.pop(0))
    for one in surplus:
        _end(one)


@contextmanager
def decoder(path: Path) -> Iterator[DecoderProcess]:
    """Borrow a process for a ``with`` block; raises as :func:`borrow`."""
    process = borrow(path)
    try:
        yield process
    finally:
        give_back(process)


def peak_memory_bytes() -> int:
    """Return the peak resident memory of the decoding processes."""
    with _lock:
        return max(sum(process.peak_memory for process in _living), _finished_peak)


def _end(process: DecoderProcess) -> None:
    global _finished_peak
    process.close()
    with _lock:
        _finished_peak = max(_finished_peak, process.peak_memory)
        _living.discard(process)


def _watch() -> None:
    """Kill processes that are overdue."""
    while True:
        time.sleep(_WATCH_SECONDS)
        now = time.monotonic()
        with _lock:
            overdue = [one for one in _living if one.deadline is not None and now > one.deadline]
        for process in overdue:
            process.expired = True
            process.kill()


def _close_all() -> None:
    with _lock:
        processes = list(_idle)
        _idle.clear()
    for process in processes:
        process.close()


def _forget_all() -> None:
    """After a fork: forget the processes and watchdog of the parent."""
    global _lock, _watchdog, _early
    _lock = threading.RLock()
    for process in list(_living):
        process.abandon()
    _idle.clear()
    _living.clear()
    _watchdog = _early = None


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
