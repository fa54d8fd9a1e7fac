"""Swapped faces on disk: those of a template with a source, and of frames that are shown again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.networks import GRID
from swaptalk.pipeline.render.face_swapper import samples_digest, shape_digest
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

    ``shapes`` are digests of the shape of the target's face in each scene, ``samples`` is one of
    the frames by which it got to know the target: where a job finds others, the swap is made anew.
    """

    store: SwapStore
    shapes: list[str]
    samples: str


class KnownSwaps:
    """Swapped faces of one person that need not be made: a template's, and those made before.

    Args:
        analysis: first pass of the target.
        channels: width C of an embedding.
        stored: of a template.
        keeps: whether faces that are made are kept beside the analysis.
    """

    def __init__(
        self, analysis: Analysis, channels: int, stored: StoredSwaps | None, keeps: bool
    ) -> None:
        self._analysis, self._stored = analysis, stored
        self._shape = (channels, GRID, GRID)
        self._made = SwapStore(analysis.folder / SWAPPED) if keeps else None
        self._shaped_alike: dict[int, bool] = {}

    def close(self) -> None:
        """Release the files that are read from."""
        if self._made is not None:
            self._made.close()
        if self._stored is not None:
            self._stored.store.close()

    def get(self, frame: int) -> NDArray[np.float32] | None:
        """Swapped face (C, 16, 16) of a frame that was made before, or of a template's frame if its
        crop, the shape of its scene and what is known of the target are what they were; else None.
        """
        if self._made is not None and (known := self._made.latents(frame, self._shape)) is not None:
            return known
        if self._stored is None or not self._knows_alike or not self._analysis.compiled(frame):
            return None
        scene = self._analysis.scene(frame)
        if scene not in self._shaped_alike:
            digest = shape_digest(self._analysis.scene_shape(scene))
            self._shaped_alike[scene] = digest == self._stored.shapes[scene]
        return self._stored.store.latents(frame, self._shape) if self._shaped_alike[scene] else None

    @cached_property
    def _knows_alike(self) -> bool:
        return self._stored is not None and self._stored.samples == samples_digest(self._analysis)

    def put(self, frame: int, face: NDArray[np.float32]) -> None:
        """Keep a frame's swapped face (C, 16, 16) where they are kept."""
        if self._made is not None:
            self._made.put(frame, face.astype(np.float16))
