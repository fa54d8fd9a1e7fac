"""Locks between processes, which the system releases when their holder ends, however it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from swaptalk.errors import InputError


def lock_file(path: Path) -> IO[bytes]:
    """Open a file that only one process can hold; the system lets go of it when the process ends.

    Raises:
        InputError: another process holds it.
    """
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise InputError(
            "another SwapTalk is working on this output",
            path=path.parent,
            remedy="wait for it, or give another --output",
        ) from None
    return file
