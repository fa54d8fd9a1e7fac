"""Pattern of the watermark: a small square that repeats over the picture and carries the code.

Direct-sequence spread spectrum (Cox et al., "Secure spread spectrum watermarking for multimedia",
1997) in the discrete Fourier domain of a periodic tile. The period makes scaling and cropping a
search for one scale and one shift (Kutter, "Watermarking resisting to translation, rotation and
scaling", 1998): a cropped picture still holds whole tiles.

A tile has 128 x 128 cells. Its bins between two frequencies are dealt out by a fixed shuffle: some
form a pilot that is the same in every video, the others carry the 288 bits of the code word, each
on several bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swaptalk.provenance.watermark_code import WORD_BITS, encode

#: Name of this scheme in manifests; the number grows with any change that an older detector could
#: not read.
SCHEME = "swaptalk.tile-spread-spectrum.1"
#: Cells along each side of a tile.
TILE = 128
#: Cycles in a tile that carry the mark: waves of 4 to 13 cells, which at two pixels a cell is what
#: H.264 keeps longest without being large enough to be seen as blotches.
LOWEST_CYCLES, HIGHEST_CYCLES = 10, 32
#: Share of the bins that form the pilot: found at about the noise level where the code word becomes
#: readable.
PILOT_SHARE = 0.15
#: Cells along the shorter side of a picture, so that the pattern shrinks and grows with its content
#: ...
CELLS = 360
#: ... but a cell is never finer than this many pixels, or encoding small videos would erase it.
SMALLEST_CELL = 2.0
#: Seed of the shuffle and of the phases. Changing it makes older marks unreadable.
_SEED = 20260802
#: The tile is clipped at this many standard deviations: rare peaks are seen first and carry little.
_PEAK = 2.5


@dataclass(frozen=True)
class Bins:
    """Bins of the half spectrum (128, 65) of a tile that carry the mark."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    phases: NDArray[np.complex128]
    """Unit phase of each bin."""
    rings: NDArray[np.intp]
    """Cycles in a tile, rounded."""
    bits: NDArray[np.intp]
    """Bit of the code word that a bin carries; -1 for the pilot."""

    @property
    def pilot(self) -> NDArray[np.bool_]:
        """Return which bins are the pilot's."""
        return self.bits < 0


@lru_cache(maxsize=1)
def bins() -> Bins:
    """Return the bins in use."""
    rows = np.fft.fftfreq(TILE, 1 / TILE)[:, None]
    columns = np.arange(TILE // 2 + 1)[None]
    radius = np.hypot(rows, columns)
    # Column 0 holds each wave twice: its half with positive rows is enough.
    used = (radius >= LOWEST_CYCLES) & (radius <= HIGHEST_CYCLES) & ((columns > 0) | (rows > 0))
    y, x = np.nonzero(used)
    # Philox: the same numbers on every platform.
    random = np.random.Generator(np.random.Philox(_SEED))
    order = random.permutation(len(y))
    phases = np.exp(2j * np.pi * random.random(len(y)))
    pilots = round(PILOT_SHARE * len(y))
    bits = np.concatenate([np.full(pilots, -1), np.arange(len(y) - pilots) % WORD_BITS])
    return Bins(y[order], x[order], phases, np.rint(radius[y, x][order]).astype(np.intp), bits)


def half_spectrum(waves: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
    """Return the half spectrum (128, 65) with these values, (K,), in the bins in use."""
    where = bins()
    values = np.zeros((TILE, TILE // 2 + 1), np.complex128)
    values[where.rows, where.columns] = waves
    return values


def tile(identifier: int) -> NDArray[np.float32]:
    """Make the pattern of an identifier, (128, 128), mean 0, standard deviation about 1."""
    where = bins()
    signs = np.where(where.pilot, 1, encode(identifier)[where.bits])
    waves = np.fft.irfft2(half_spectrum(where.phases * signs), (TILE, TILE))
    return np.asarray(np.clip(waves / waves.std(), -_PEAK, _PEAK), np.float32)


def cell_pixels(width: int, height: int) -> float:
    """Return the size of a cell in a picture of this size, in pixels."""
    return max(SMALLEST_CELL, min(width, height) / CELLS)
