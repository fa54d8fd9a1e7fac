"""Interface of the networks, which :class:`swaptalk.inference.bundle.ModelBundle` implements."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Latents = NDArray[np.float32]
"""(N, C, 16, 16): rows 0..7 are the upper half of the face, 8..15 the lower half."""

Codes = NDArray[Any]
"""(N, heads, 16, 16) unsigned integers: nearest codebook entries."""


class Networks(Protocol):
    """Encoder, quantiser, decoder, swapper, audio encoder and lip-sync network. Everything is
    NumPy.
    """

    @property
    def motion_window(self) -> int:
        """Motion tokens that the lip-sync network sees for one frame: odd, centred, 40 ms apart."""
        ...

    @property
    def silent_motion(self) -> NDArray[np.float32]:
        """Motion token (D,) of a closed mouth at rest."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the weights."""
        ...

    @property
    def arithmetic(self) -> str:
        """Changes with whatever else decides the last bit of a result: engine, its version,
        processor.
        """
        ...

    def load(self, *graphs: str) -> None:
        """Read networks from disk now rather than at first use; may run beside all else.

        Args:
            *graphs: of ``encoder``, ``identity``, ``swap``, ``motion``, ``lipsync``, ``decoder``,
                in this order.
        """
        ...

    def encode(self, crops: NDArray[np.uint8]) -> Latents:
        """Aligned crops (N, 256, 256, 3) to latents before quantisation."""
        ...

    def quantize(self, latents: Latents) -> Codes:
        """Latents to codes (N, heads, 16, 16)."""
        ...

    def embed(self, codes: Codes) -> Latents:
        """Codes to latents."""
        ...

    def decode(self, latents: Latents) -> NDArray[np.uint8]:
        """Latents to aligned crops (N, 256, 256, 3)."""
        ...

    def identity(self, source_latents: Latents) -> Any:
        """Latents of K photos of one person to what :meth:`swap` needs to know of them."""
        ...

    def swap(self, latents: Latents, identity: Any, strength: float = 1.0) -> Latents:
        """Give faces another identity; everything else stays."""
        ...

    def motion(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mel frames (M, 80) to mouth motion tokens (ceil(M / 4), D) at 25 a second."""
        ...

    def lipsync(self, target: Latents, reference: Latents, motion: NDArray[np.float32]) -> Latents:
        """Give target faces (N, ...) a new lower half from references and motion (N, W, D)."""
        ...
