"""End a worker process with the server that started it, however the server dies."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time

#: Seconds between two looks at who the parent process is.
LOOK_SECONDS = 1.0
#: Linux's prctl option: the signal that this process gets when the thread that started it ends
#: (prctl(2)).
_PR_SET_PDEATHSIG = 1


def end_with(server: int) -> None:
    """End this process as soon as its server is gone. A killed worker loses nothing but its
    unfinished chunk.

    On Linux the kernel does it, also while native code lets no other thread run; on all POSIX
    systems it is seen that an orphan gets another parent. Call :func:`end_with_input`, too, as soon
    as standard input has been read.

    Args:
        server: process id of the server, one of whose lasting threads started this process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.name == "posix":
        threading.Thread(target=_watch_parent, args=(server,), daemon=True).start()


def end_with_input() -> None:
    """End this process when standard input ends, whose other end only the server holds."""
    threading.Thread(target=_watch_input, daemon=True).start()


def end_with_parent() -> None:
    """End this process, one of `multiprocessing`'s, at once when the process that started it is
    gone: nobody works then on what may be started again.
    """
    threading.Thread(target=_join_parent, daemon=True).start()


def _join_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _watch_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


def _watch_parent(server: int) -> None:
    while os.getppid() == server:
        time.sleep(LOOK_SECONDS)
    os._exit(1)
