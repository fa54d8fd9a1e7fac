"""A process of many threads keeps few arenas."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Twelve threads at once take small pieces of memory; the program then counts the arenas, regions
#: of 64 MB aligned to 64 MB, of which a thread's begins with a part that may be read and written.
PROGRAM = """
import sys, threading, ctypes
from swaptalk.workers.memory import limit_arenas
if sys.argv[1] == "limited":
    limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
barrier = threading.Barrier(12)
def take():
    barrier.wait()
    for _ in range(2000):
        libc.malloc(2000)
    barrier.wait()
threads = [threading.Thread(target=take) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps") if " rw-p " in line]
print(sum(start % (64 << 20) == 0 for start in starts))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="arenas are glibc's")
def test_threads_share_arenas() -> None:
    free, limited = (
        int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("free", "limited")
    )
    if free < 4:
        pytest.skip("this C library makes no arenas for threads")
    assert limited <= 2
