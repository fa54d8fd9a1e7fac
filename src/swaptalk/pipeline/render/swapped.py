"""Stored swaps of a template's frames for one source: latents after the swap network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.pose import Pose
from swaptalk.storage.frames import FrameStore

#: File with the swapped latents of the frames.
SWAPPED = "swapped.bin"


class SwapStore(FrameStore):
    """Latents after the swap, lossless: two bytes a number as change from the target, or four."""

    NAME, TYPES = "swapped faces", ("<u2", "<f4")

    def latents(self, frame: int, own: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Latents (C, 16, 16) of a frame after the swap, or None if they are not there or cannot
        be.

        Args:
            frame: number in the target.
            own: its latents before the swap.
        """
        kept = self.get(frame)
        if kept is None or kept.shape != own.shape:
            return None
        latents = own + _from_half(kept) if kept.dtype.itemsize == 2 else kept
        return latents if np.isfinite(latents).all() else None


@dataclass(frozen=True)
class StoredSwaps:
    """The stored swap of a template, and the pose that the source was turned to in each of its
    scenes.
    """

    store: SwapStore
    poses: list[Pose]


class SwapWriter:
    """Writes a `SwapStore`; that two bytes suffice is known only when every frame has been seen.

    They do where the engine computes in bfloat16 and the identity is taken wholly: the network's
    last step adds its change, in bfloat16, to the target.

    Args:
        folder: an empty one, for both ways to write it.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = folder / "short.bin", folder / "long.bin"
        self._short, self._long = (SwapStore(path) for path in self._paths)
        self._suffices = True

    @property
    def path(self) -> Path:
        """The file to keep, when all frames are in it and it is closed."""
        return self._paths[0 if self._suffices else 1]

    def put(self, frame: int, own: NDArray[np.float32], swapped: NDArray[np.float32]) -> None:
        """Store latents (C, 16, 16) of a frame, before and after the swap.

        Raises:
            OSError: the disk is full.
        """
        self._long.put(frame, swapped)
        if self._suffices:
            change = _to_half(swapped - own)
            self._suffices = (
                own + _from_half(change)
            ).tobytes() == swapped.tobytes()  # tells -0.0 from 0.0
            self._short.put(frame, change)

    def close(self) -> None:
        """Write out what is buffered."""
        self._short.close()
        self._long.close()


def _to_half(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round to bfloat16; return its bits, the upper half of a float32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def _from_half(bits: NDArray[Any]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << 16).view(np.float32)
