"""Hair, jewellery and hands in front of the face in a photo, found by a small network of our own:
`swaptalk train hair` made it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.inference.exact import ExactNetwork, Spares

#: The network that comes with the package.
NETWORK = Path(__file__).parent / "hair.onnx"
#: Rows and columns of its answer.
GRID = (CROP_SIZE // 2, CROP_SIZE // 2)


class HairNetwork:
    """Finds what lies in front of a face. Not for use from several threads at once.

    Args:
        path: the ONNX file.
        threads: CPU threads.
    """

    def __init__(self, path: Path = NETWORK, threads: int = 1) -> None:
        self._network = ExactNetwork(path, threads)

    def __call__(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How sure it is (256, 256), 0..1, that a pixel of a crop (256, 256, 3) uint8 RGB is not of
        the face itself.
        """
        return self._network.marked(crop)


_NETWORKS = Spares(HairNetwork)


def measure_hair(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Find hair with the network that comes with the package, see `HairNetwork`.

    For use from several threads: as many networks are loaded as are needed at once.
    """
    with _NETWORKS.lent() as network:
        return network(crop)
