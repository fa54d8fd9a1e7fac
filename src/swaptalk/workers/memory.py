"""Limit the memory of processes that run many jobs."""

from __future__ import annotations

import ctypes
import sys

#: glibc gives each of many threads an arena of its own, and what a job's threads leave in theirs is
#: not used by the next job's: a worker grew by 45 MB with every job. Two are enough, since pictures
#: are too large for arenas.
ARENAS = 2
#: M_ARENA_MAX of glibc's ``mallopt``.
_ARENA_MAX = -8


def limit_arenas() -> None:
    """Limit the allocation arenas of glibc; call it before threads start. No effect elsewhere."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
