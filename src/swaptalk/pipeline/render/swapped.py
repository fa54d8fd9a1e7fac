"""Swapped faces on disk: those of a template with a source, and of frames that are shown again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.storage.frames import FrameStore

#: File with the swapped latents of the frames.
SWAPPED = "swapped.bin"


class SwapStore(FrameStore):
    """Latents (C, 16, 16) of frames after the swap, in half precision, as `FaceSwapper` gives
    them.
    """

    NAME, TYPES = "swapped faces", ("<f2",)

    def latents(self, frame: int, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """Latents of a frame, or None if they are not there or cannot be.

        Args:
            frame: number in the target.
            shape: that they must have.
        """
        kept = self.get(frame)
        if kept is None or kept.shape != shape or not np.isfinite(kept).all():
            return None
        return kept.astype(np.float32)


@dataclass(frozen=True)
class StoredSwaps:
    """Stored swap of a template.

    ``shapes`` are digests of the shape of the target's face in each scene: where a job finds
    another shape, the swap is made anew.
    """

    store: SwapStore
    shapes: list[str]
