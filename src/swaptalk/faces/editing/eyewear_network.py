"""Rims of glasses, found by a small network of our own.

It sees the part of an aligned crop in which glasses sit, pixel by pixel, without colours and in an
even brightness: rims are of any colour, and drawn ones, of which it learned, are not those that
people buy. `swaptalk train eyewear` made it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.inference.exact import ExactNetwork, Spares

T = TypeVar("T", bound=np.generic)

#: The network that comes with the package.
NETWORK = Path(__file__).parent / "eyewear.onnx"
#: Rows of the crop that it sees, and rows and columns of its answer.
TOP, BOTTOM = 40, 168
GRID = ((BOTTOM - TOP) // 2, CROP_SIZE // 2)


#: The face between these rows and columns of the crop gets this median, of 1, by a gamma; medians
#: outside these grey levels would need too strong a one.
_MIDDLE, _MEDIAN, _LEVELS = slice(60, 200), 0.5, (4, 250)


def eyewear_rows(picture: NDArray[T]) -> NDArray[T]:
    """The part (128, 256, ...) that the network looks at of a crop (256, 256, ...)."""
    return picture[TOP:BOTTOM]


def eyewear_view(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the network sees of a crop (256, 256, 3) uint8 RGB: (128, 256, 3), all three alike."""
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)
    median = np.clip(np.median(grey[_MIDDLE, _MIDDLE]), *_LEVELS) / 255
    levels = (np.arange(256) / 255) ** (np.log(_MEDIAN) / np.log(median))
    even = cv2.LUT(eyewear_rows(grey), np.round(255 * levels).astype(np.uint8))
    return np.asarray(cv2.merge([even] * 3), np.uint8)


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


_NETWORKS = Spares(EyewearNetwork)


def measure_rims(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Find rims with the network that comes with the package, see `EyewearNetwork`.

    For use from several threads: as many networks are loaded as are needed at once.
    """
    with _NETWORKS.lent() as network:
        return network(crop)
