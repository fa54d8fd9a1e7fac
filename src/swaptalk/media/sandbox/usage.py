"""Peak memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def peak_resident_bytes() -> int:
    """Return the largest resident memory so far, in bytes."""
    if sys.platform == "win32":
        return _windows_peak()
    import resource

    try:
        # Not ru_maxrss where this exists: on Linux that of a started program begins with its
        # starter's.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _windows_peak() -> int:
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = [("cb", wintypes.DWORD), ("PageFaultCount", wintypes.DWORD)] + [
            (name, ctypes.c_size_t)
            for name in ("PeakWorkingSetSize", "WorkingSetSize", "q0", "q1", "q2", "q3", "q4", "q5")
        ]

    counters = Counters(cb=ctypes.sizeof(Counters))
    libraries: Any = getattr(ctypes, "windll")  # noqa: B009 - only Windows has it, type checkers elsewhere object
    handle = wintypes.HANDLE(libraries.kernel32.GetCurrentProcess())
    libraries.psapi.GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb)
    return int(counters.PeakWorkingSetSize)
