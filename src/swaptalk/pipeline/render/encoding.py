"""Faces that wait for the encoder, so that those of all people go through it together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from swaptalk.pipeline.networks import GRID, Latents, Networks

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Encoding(Generic[T]):
    """What one person wants of the encoder."""

    pictures: Sequence[NDArray[np.uint8]]
    """Faces (256, 256, 3) to be encoded; none where all are known."""
    finish: Callable[[Latents], T]
    """Makes the result of their latents (N, C, 16, 16)."""
    upper: bool = False
    """Whether the upper half of the latents is enough; then the lower one is 0."""

    def then(self, step: Callable[[T], U]) -> Encoding[U]:
        """The same pictures, whose result goes through a further step."""
        return Encoding(self.pictures, lambda latents: step(self.finish(latents)), self.upper)

    def alone(self, networks: Networks) -> T:
        """The result, encoded without anybody else's."""
        return encode_together(networks, [self])[0]


def encode_together(networks: Networks, encodings: Sequence[Encoding[T]]) -> list[T]:
    """The result of each, after the pictures of all went through the encoder: whole faces in one
    batch, and those whose upper half is enough in another one.
    """
    nothing = np.zeros((0, networks.latent_channels, GRID, GRID), np.float32)
    latents = [nothing] * len(encodings)
    for upper in (False, True):
        places = [place for place, one in enumerate(encodings) if one.upper is upper]
        pictures = [picture for place in places for picture in encodings[place].pictures]
        if pictures:
            encoded = _encoded(networks, np.stack(pictures), upper)
            counts = [len(encodings[place].pictures) for place in places]
            for place, own in zip(places, parted(encoded, counts), strict=True):
                latents[place] = own
    return [one.finish(own) for one, own in zip(encodings, latents, strict=True)]


def _encoded(networks: Networks, pictures: NDArray[np.uint8], upper: bool) -> Latents:
    if not upper:
        return networks.encode(pictures)
    latents = networks.encode_upper(pictures)
    return np.concatenate([latents, np.zeros_like(latents)], axis=2)


def parted(whole: NDArray[Any], counts: Sequence[int]) -> list[NDArray[Any]]:
    """Split the rows of a batch again: the first ``counts[0]``, the next ``counts[1]``, ..."""
    return np.split(whole, np.cumsum(counts)[:-1])
