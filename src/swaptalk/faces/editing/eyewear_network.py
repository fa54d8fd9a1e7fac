"""Rims of glasses, found by a small network of our own.

It sees the part of an aligned crop in which glasses sit, pixel by pixel: `swaptalk train eyewear`
made it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.inference.exact import ExactNetwork, PerThread

T = TypeVar("T", bound=np.generic)

#: The network that comes with the package.
NETWORK = Path(__file__).parent / "eyewear.onnx"
#: Rows of the crop that it sees, and rows and columns of its answer.
TOP, BOTTOM = 40, 168
GRID = ((BOTTOM - TOP) // 2, CROP_SIZE // 2)


def eyewear_view(picture: NDArray[T]) -> NDArray[T]:
    """The part (128, 256, ...) that the network sees of a crop (256, 256, ...)."""
    return picture[TOP:BOTTOM]


class EyewearNetwork:
    """Finds rims of glasses. Not for use from several threads at once.

    Args:
        path: the ONNX file.
        threads: CPU threads.
    """

    def __init__(self, path: Path = NETWORK, threads: int = 1) -> None:
        self._network = ExactNetwork(path, threads)

    def __call__(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How sure it is (256, 256), 0..1, that a pixel of a crop (256, 256, 3) uint8 RGB is of a
        rim.
        """
        found = np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
        found[TOP:BOTTOM] = self._network.marked(eyewear_view(crop))
        return found


_OF_THREAD = PerThread(EyewearNetwork)


def measure_rims(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Find rims with the network that comes with the package, see `EyewearNetwork`.

    Each thread loads a network of its own at first use.
    """
    return _OF_THREAD()(crop)
