"""Store codes or latents of frames on disk, written when first needed and read again later."""

from __future__ import annotations

import json
import math
import struct
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

#: The file begins with shape and type of one frame's numbers, as JSON padded to this many bytes.
_HEADER_BYTES = 128
_CHECKSUM = struct.Struct("<I")
#: Largest record in bytes: of codes sixteen times, of latents four times what the largest network
#: in use makes.
_MAX_RECORD = 1 << 18


class FrameStore:
    """Fixed-size records, one a frame, of shape (channels, rows, columns), written in any order.

    Each record carries a checksum, so that a record torn by a power cut counts as missing. Memory
    does not grow with the number of frames. Not safe for use from several threads at once.

    Args:
        path: the file; an existing one is continued.
        start: where in the file the store begins. After the beginning of another file it can only
            be read.

    Raises:
        ValueError: the file is something else.
    """

    #: What the numbers are, and the types that they may have.
    NAME: ClassVar[str]
    TYPES: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path, start: int = 0) -> None:
        self._file = path.open("rb" if start else "r+b" if path.exists() else "w+b")
        self._start = start
        self._shape: tuple[int, ...] = ()
        self._dtype = np.dtype(np.uint8)
        self._bytes = 0
        self._file.seek(start)
        header = self._file.read(_HEADER_BYTES)
        if len(header) == _HEADER_BYTES:
            try:
                record = json.loads(header)
                self._define(record["shape"], record["dtype"])
            except (KeyError, TypeError) as error:
                raise ValueError(f"not a file of {self.NAME}") from error

    def _define(self, shape: list[int], dtype: str) -> None:
        if len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape):
            raise ValueError(f"{shape} is no shape of {self.NAME}")
        if dtype not in self.TYPES:
            raise ValueError(f"{dtype} is no type of {self.NAME}")
        self._shape, self._dtype = tuple(shape), np.dtype(dtype)
        self._bytes = self._dtype.itemsize * math.prod(shape)
        if self._bytes > _MAX_RECORD:
            raise ValueError(f"{shape} is too large for {self.NAME}")

    def _seek(self, frame: int) -> None:
        self._file.seek(self._start + _HEADER_BYTES + frame * (self._bytes + _CHECKSUM.size))

    def get(self, frame: int) -> NDArray[Any] | None:
        """Return the record of a frame, of the shape that was put; None if there is none or it is
        damaged.
        """
        if not self._bytes:
            return None
        self._seek(frame)
        record = self._file.read(self._bytes + _CHECKSUM.size)
        if len(record) < self._bytes + _CHECKSUM.size:
            return None
        raw = memoryview(record)[_CHECKSUM.size :]
        if _CHECKSUM.unpack_from(record)[0] != zlib.crc32(raw):
            return None
        return np.frombuffer(raw, self._dtype).reshape(self._shape)

    def put(self, frame: int, numbers: NDArray[Any]) -> None:
        """Store the record of a frame; all have one shape and type.

        Raises:
            OSError: the disk is full.
        """
        if not self._bytes:
            self._define(list(numbers.shape), numbers.dtype.str)
            self._file.seek(0)
            header = json.dumps({"shape": self._shape, "dtype": self._dtype.str})
            self._file.write(header.encode().ljust(_HEADER_BYTES))
        raw = np.ascontiguousarray(numbers, self._dtype).tobytes()
        self._seek(frame)
        self._file.write(_CHECKSUM.pack(zlib.crc32(raw)) + raw)

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()


class CodeStore(FrameStore):
    """Codes (heads, 16, 16) of frames."""

    NAME, TYPES = "codes", ("|u1", "<u2")
