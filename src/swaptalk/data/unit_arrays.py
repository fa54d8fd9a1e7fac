"""Arrays that are computed once for each unit of a dataset and mapped from disk afterwards."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.storage.files import AtomicFile

#: Units whose file stays open.
_OPEN_FILES = 256


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write a ``.npy`` file whole or not at all."""
    with AtomicFile(path) as target, target.part.open("wb") as file:
        np.save(file, array)


def save_rows(path: Path, array: NDArray[Any]) -> None:
    """Write a ``.npy`` file whole or not at all, leaving holes for rows of zeros, which then take
    no room on disk.
    """
    array = np.ascontiguousarray(array)
    with AtomicFile(path) as target, target.part.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        for row in array:
            if row.any():
                file.write(row.tobytes())
            else:
                file.seek(row.nbytes, io.SEEK_CUR)
        file.truncate(file.tell())


class UnitArrays:
    """A folder ``<unit>.npy`` of arrays; safe to read from several threads.

    Args:
        folder: where they lie; made when the first is built.
        what: what they are, for messages: "the cached embeddings".
    """

    def __init__(self, folder: Path, what: str) -> None:
        self.folder, self._what = folder, what
        self._open = lru_cache(_OPEN_FILES)(self._load)

    def _load(self, unit: str) -> NDArray[Any]:
        try:
            array: NDArray[Any] = np.load(self.folder / f"{unit}.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self._what} of {unit} cannot be read",
                path=self.folder,
                remedy="delete the folder; it is made again",
            ) from error
        return array

    def has(self, unit: str) -> bool:
        """Whether a unit's array is there."""
        return (self.folder / f"{unit}.npy").exists()

    def build(
        self,
        units: Iterable[str],
        compute: Callable[[str], NDArray[Any]],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Compute and write what is not there yet; an interrupted build goes on where it was.

        Args:
            units: units wanted, each named once or more often.
            compute: makes a unit's array.
            progress: called with (units done, units missing at first) after each.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [unit for unit in sorted(set(units)) if not self.has(unit)]
        for done, unit in enumerate(missing, 1):
            save_rows(self.folder / f"{unit}.npy", compute(unit))
            if progress is not None:
                progress(done, len(missing))

    def __call__(self, unit: str) -> NDArray[Any]:
        """A unit's array, mapped from disk.

        Raises:
            InputError: it is missing or damaged.
        """
        return self._open(unit)
