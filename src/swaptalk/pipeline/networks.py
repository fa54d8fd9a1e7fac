"""Interface of the networks, which :class:`swaptalk.inference.bundle.ModelBundle` implements."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Latents = NDArray[np.float32]
"""(N, C, 16, 16): rows 0..7 are the upper half of the face, 8..15 the lower half."""

Codes = NDArray[Any]
"""(N, heads, 16, 16) unsigned integers: nearest codebook entries."""

#: Side of the masks that the swap network reads.
MASK_SIZE = 64
#: Positions a side of the embedding grid.
GRID = 16


class Networks(Protocol):
    """Encoder, quantiser, decoder, swapper, audio encoder and lip-sync network. Everything is
    NumPy.
    """

    @property
    def latent_channels(self) -> int:
        """Width C of an embedding."""
        ...

    @property
    def motion_window(self) -> int:
        """Return the number of motion tokens of one frame: odd, centred, 40 ms apart."""
        ...

    @property
    def silent_motion(self) -> NDArray[np.float32]:
        """Return the motion token (D,) of a closed mouth at rest."""
        ...

    @property
    def motion_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and spread (D,) of the measurements behind motion tokens, eye distances."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return a string that identifies the weights."""
        ...

    @property
    def numerics(self) -> str:
        """Return a string that identifies engine, version and processor."""
        ...

    @property
    def threads(self) -> int:
        """Return the number of CPU threads that compute a network."""
        ...

    @property
    def most_threads(self) -> int:
        """Return the most threads that they may be given; `threads` where that is not left to the
        pipeline.
        """
        ...

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next call on."""
        ...

    def load(self, *graphs: str) -> None:
        """Load networks now instead of at first use; may run in parallel to all else.

        Args:
            *graphs: of ``encoder``, ``identity``, ``swap``, ``motion``, ``lipsync``, ``decoder``,
                ``restoration``, in this order.
        """
        ...

    def encode(self, crops: NDArray[np.uint8]) -> Latents:
        """Aligned crops (N, 256, 256, 3) to latents (N, C, 16, 16) before quantisation."""
        ...

    def encode_upper(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return rows 0..7 (N, C, 8, 16) of what `encode` makes, for half of its cost."""
        ...

    def quantize(self, latents: Latents) -> Codes:
        """Latents (N, C, 16, 16) to the nearest codes (N, heads, 16, 16)."""
        ...

    def embed(self, codes: Codes) -> Latents:
        """Codes (N, heads, 16, 16) to latents (N, C, 16, 16)."""
        ...

    def decode(self, latents: Latents) -> NDArray[np.uint8]:
        """Latents (N, C, 16, 16) to aligned crops (N, 256, 256, 3)."""
        ...

    def identity(self, source_latents: Latents) -> Any:
        """Prepare the source's input of :meth:`swap` from latents (K, C, 16, 16) of photos
        of one person.
        """
        ...

    def swap(
        self,
        latents: Latents,
        mask: NDArray[np.float32],
        identity: Any,
        strength: float = 1.0,
    ) -> Latents:
        """Correct latents of composites, whose masks (N, 1, 64, 64) say where they show the
        source.
        """
        ...

    def motion(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mel frames (M, 80) to mouth motion tokens (ceil(M / 4), D) at 25 a second."""
        ...

    @property
    def restores(self) -> bool:
        """Whether there is a network for `restore`."""
        ...

    def restore(
        self,
        face: NDArray[np.uint8],
        restored: NDArray[np.uint8],
        guide: NDArray[np.uint8],
        mask: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Decoded faces, the same restored without a network, and real pixels of the person, each
        (N, 256, 256, 3), where the masks (N, 256, 256) are 255, to faces nearer to real ones.
        """
        ...

    def lipsync(self, target: Latents, reference: Latents, motion: NDArray[np.float32]) -> Latents:
        """Give target faces (N, ...) a new lower half from references and motion (N, W, D)."""
        ...
