"""Shared memory of a program and its decoding process, for pictures and sound."""

from __future__ import annotations

import mmap
import os
import secrets
import sys
import tempfile

#: Pictures (or pieces of sound) that wait for the reader at most: one being copied, two decoded
#: ahead.
SLOTS = 3


class SharedMemory:
    """The program's side: anonymous memory that grows, and is freed with its owner."""

    def __init__(self) -> None:
        self.size = 0
        self.view = memoryview(b"")
        self._name = f"swaptalk-{os.getpid()}-{secrets.token_hex(8)}"
        self.file = _anonymous_file(self._name)

    def grow(self, size: int) -> str:
        """Grow to at least so many bytes; return its name on Windows."""
        if size > self.size:
            if self.file is not None:
                os.ftruncate(self.file, size)
            self.view = map_memory(self.file, size, f"{self._name}-{size}")
            self.size = size
        return f"{self._name}-{self.size}"

    def empty(self) -> None:
        """Give the pages back to the system, on Linux; what they held is lost. A large photo's
        would stay for long.
        """
        if sys.platform == "linux" and isinstance(self.view.obj, mmap.mmap):
            self.view.obj.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Release the memory; existing views keep it alive."""
        self.view = memoryview(b"")
        if self.file is not None:
            os.close(self.file)
            self.file = None


def map_memory(file: int | None, size: int, name: str) -> memoryview:
    """Map the memory by its inherited file descriptor, on Windows by name."""
    if sys.platform == "win32":
        return memoryview(mmap.mmap(-1, size, tagname=name))
    assert file is not None
    return memoryview(mmap.mmap(file, size))


def _anonymous_file(name: str) -> int | None:
    if sys.platform == "win32":
        return None
    if sys.platform != "linux":
        with tempfile.TemporaryFile(prefix=name) as temporary:
            return os.dup(temporary.fileno())
    import fcntl

    file = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    # A decoder in foreign hands could otherwise cut the memory off under the program's feet.
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return file
