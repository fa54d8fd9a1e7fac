"""Training examples by number: read when they are drawn, or all of them kept on the device.

A batch holds examples as they are stored (uint8, float16), or only their numbers where the device
keeps them. So a step on a GPU waits neither for disks nor for the way to its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swaptalk.data.frames import Frame
from swaptalk.data.store import Item
from swaptalk.errors import InputError

Rows = dict[str, Tensor]
#: Examples that are read, stacked and copied to the device together.
_AT_ONCE = 256
#: Share of the device's free memory that the kept examples may take; networks need the rest.
_LARGEST_SHARE = 0.6


class RowTable:
    """Examples by number; safe to read from several threads.

    Args:
        name: key of its examples in a batch; other tables of the batch have other names.
        count: number of examples.
        read: makes example ``number``: tensors by name, with the same names, shapes and types for
            all of them.
    """

    def __init__(self, name: str, count: int, read: Callable[[int], Rows]) -> None:
        self._name, self._count, self._read = name, count, read
        self._kept: Rows | None = None

    def keep(
        self,
        device: torch.device | str,
        threads: int = 1,
        numbers: Iterable[int] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Read examples and keep them on the device from now on.

        Args:
            device: where they are needed.
            threads: that read.
            numbers: those that will be drawn; None: all.
            progress: called with (examples read, examples in all).

        Raises:
            InputError: they do not fit into the device's memory.
        """
        wanted = np.array(sorted(set(range(self._count) if numbers is None else numbers)))
        first = self._read(int(wanted[0]))
        _check_room(self._name, self._count, first, torch.device(device))
        kept = {
            key: torch.zeros((self._count, *one.shape), dtype=one.dtype, device=device)
            for key, one in first.items()
        }
        with ThreadPoolExecutor(max(1, threads), "rows") as pool:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                rows = list(pool.map(self._read, part.tolist()))
                place = torch.from_numpy(part).to(device)
                for key, column in kept.items():
                    column[place] = torch.stack([row[key] for row in rows]).to(device)
                if progress is not None:
                    progress(start + len(part), len(wanted))
        self._kept = kept

    def pick(self, numbers: Sequence[int] | NDArray[np.integer]) -> Rows:
        """Entries of a batch for examples: themselves, or their numbers where they are kept."""
        if self._kept is not None:
            return {self._name: torch.as_tensor(np.asarray(numbers, np.int64))}
        rows = [self._read(int(number)) for number in numbers]
        return {f"{self._name}.{key}": torch.stack([row[key] for row in rows]) for key in rows[0]}

    def all(self, device: torch.device | str) -> Rows:
        """Return all examples, with their own names, on a device."""
        rows = self.rows(self.pick(range(self._count)))
        return {key: part.to(device) for key, part in rows.items()}

    def rows(self, batch: Rows) -> Rows:
        """Return the examples of a batch, with their own names, on the batch's device."""
        if self._kept is not None:
            numbers = batch[self._name]
            return {key: column[numbers] for key, column in self._kept.items()}
        own = f"{self._name}."
        return {key[len(own) :]: part for key, part in batch.items() if key.startswith(own)}


class FrameTable(RowTable):
    """What belongs to single frames of items: pictures, embeddings.

    Args:
        name: as of `RowTable`.
        items: whose frames are numbered.
        read: makes the example of a frame.
    """

    def __init__(self, name: str, items: Sequence[Item], read: Callable[[Frame], Rows]) -> None:
        ends = np.cumsum([0, *(item.count for item in items)])
        self._first = {item.name: int(start) for item, start in zip(items, ends, strict=False)}

        def at(number: int) -> Rows:
            place = int(np.searchsorted(ends, number, side="right")) - 1
            return read((items[place], number - int(ends[place])))

        super().__init__(name, int(ends[-1]), at)

    def number(self, frame: Frame) -> int:
        """Return the number of a frame."""
        return self._first[frame[0].name] + frame[1]


def _check_room(name: str, count: int, row: Rows, device: torch.device) -> None:
    """Refuse what does not fit into a GPU's memory."""
    if device.type != "cuda":
        return
    needed = count * sum(part.numel() * part.element_size() for part in row.values())
    free = torch.cuda.mem_get_info(device)[0]
    if needed > _LARGEST_SHARE * free:
        raise InputError(
            f"{count} examples ({name}) take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of the "
            "device's memory are free",
            remedy="leave out --resident, or prepare less",
        )
