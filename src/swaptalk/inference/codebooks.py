"""Quantise latents and look codes up, in NumPy: exact, and faster than a bfloat16 graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Codebooks:
    """The codebooks of both halves (paper, "VQGAN": one for the upper face, one for the lower).

    Args:
        books: for the upper and the lower half, codes (heads, size, width) float32; each head
            quantises ``width`` channels of its own.

    Raises:
        ValueError: more codes than a byte can tell apart.
    """

    def __init__(self, books: Sequence[NDArray[np.floating]]) -> None:
        self._books = [np.asarray(book, np.float32) for book in books]
        self.heads, self.size, self.width = self._books[0].shape
        if self.size > 256:
            raise ValueError(f"codes are bytes, but a codebook has {self.size}")
        # |z - c|^2 is least where z c - |c|^2 / 2 is largest; the last column meets a channel of
        # ones.
        self._scores = [
            np.concatenate([book, -0.5 * (book**2).sum(axis=2, keepdims=True)], axis=2)
            .transpose(0, 2, 1)
            .copy()
            for book in self._books
        ]

    def quantize(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return nearest codes uint8 (N, heads, H, W) of latents (N, heads * width, H, W)."""
        n, _, height, width = latents.shape
        codes = np.empty((n, self.heads, height, width), np.uint8)
        for rows, scores in zip(_halves(height), self._scores, strict=True):
            part = latents[:, :, rows].reshape(n, self.heads, self.width, -1)
            features = np.ones((self.heads, n, part.shape[3], self.width + 1), np.float32)
            features[..., :-1] = part.transpose(1, 0, 3, 2)
            nearest = (features.reshape(self.heads, -1, self.width + 1) @ scores).argmax(axis=2)
            codes[:, :, rows] = nearest.reshape(self.heads, n, -1, width).transpose(1, 0, 2, 3)
        return codes

    def embed(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return latents (N, heads * width, H, W) of codes uint8 (N, heads, H, W)."""
        n, heads, height, width = codes.shape
        latents = np.empty((n, heads * self.width, height, width), np.float32)
        for rows, book in zip(_halves(height), self._books, strict=True):
            # Shape: (N, heads, H / 2, W, width).
            picked = book[np.arange(heads)[None, :, None, None], codes[:, :, rows]]
            latents[:, :, rows] = picked.transpose(0, 1, 4, 2, 3).reshape(n, -1, height // 2, width)
        return latents


def _halves(height: int) -> tuple[slice, slice]:
    """Return the row ranges of the upper and the lower half."""
    return slice(0, height // 2), slice(height // 2, height)
