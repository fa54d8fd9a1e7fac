"""Per-frame records on disk, appended one by one and read by index, without holding them in
memory.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class RowWriter:
    """Append rows to a ``.npy`` file.

    Rows are appended with ordinary writes and not through a memory map: a full disk is then an
    error to report (ENOSPC) instead of a killed process (SIGBUS), and pages written do not count as
    memory of this process.

    Args:
        path: the file, replaced if it exists.
        count: number of rows that will be written; the header needs it first.
        shape: shape of one row.
        dtype: type of the numbers.
    """

    def __init__(self, path: Path, count: int, shape: Sequence[int], dtype: DTypeLike) -> None:
        self._dtype, self._shape = np.dtype(dtype), tuple(shape)
        self._left = count
        self._path = path
        self._file = path.open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (count, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows (N, *shape), converted to the file's type.

        Raises:
            ValueError: the shape differs or there are more rows than announced.
            OSError: the disk is full.
        """
        if rows.shape[1:] != self._shape or len(rows) > self._left:
            raise ValueError(
                f"rows {rows.shape} do not fit {self._path.name}: {self._left} rows of "
                f"{self._shape} left"
            )
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())
        self._left -= len(rows)

    def close(self) -> None:
        """Flush and close. The file is complete only if every announced row was appended."""
        self._file.close()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Rows:
    """Read rows of a ``.npy`` file by index, without mapping or holding it in memory.

    Not safe for use from several threads at once: open it once per thread.
    """

    def __init__(self, path: Path) -> None:
        self._file: io.BufferedReader = path.open("rb")
        version = np.lib.format.read_magic(self._file)
        if version != (1, 0):
            raise ValueError(f"{path}: format version {version} of .npy is not read here")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(self._file)
        if fortran or dtype.hasobject:
            raise ValueError(f"{path}: only plain arrays in C order are read here")
        self.shape, self.dtype = tuple(shape[1:]), dtype
        self._count = int(shape[0])
        self._start = self._file.tell()
        self._row_bytes = dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self._count

    @property
    def stop(self) -> int:
        """Size that the file has if all of its rows are there."""
        return self._start + self._count * self._row_bytes

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Read one row; negative indices are not allowed."""
        row: NDArray[Any] = self.read(index, index + 1)[0]
        return row

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read rows start..stop (exclusive) as one array.

        Raises:
            IndexError: outside the file.
        """
        if not 0 <= start <= stop <= self._count:
            raise IndexError(f"rows {start}..{stop} of {self._count}")
        self._file.seek(self._start + start * self._row_bytes)
        raw = self._file.read((stop - start) * self._row_bytes)
        return np.frombuffer(raw, self.dtype).reshape(stop - start, *self.shape)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Rows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
