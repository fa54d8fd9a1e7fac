"""Lids and irises of a face, measured by a small network of our own.

The mesh hardly follows lids and knows no irises. The network was distilled from MediaPipe's
478-point network (Grishchenko et al. 2020, arXiv 2006.10962), which no package carries; `swaptalk
train eyes` made it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.part_view import eye_region, from_view, part_view
from swaptalk.inference.exact import ExactNetwork, Spares

#: The network that comes with the package.
NETWORK = Path(__file__).parent / "eyes.onnx"
_MIRRORED = np.array([-1, 1], np.float32)


class EyeNetwork:
    """Finds lids and irises. Not for use from several threads at once.

    Args:
        path: the ONNX file.
        threads: CPU threads.
    """

    def __init__(self, path: Path = NETWORK, threads: int = 1) -> None:
        self._network = ExactNetwork(path, threads)

    def __call__(self, image: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
        """Points (2, 21, 2) of the right and the left eye in pixels.

        Of each eye the first 16 are the lids, as in `swaptalk.faces.geometry.topology.EYE_RINGS`;
        then the middle of the iris and four points of its edge.

        Args:
            image: RGB (H, W, 3) uint8.
            mesh: landmarks (468, 3) in its pixels.
        """
        regions = [eye_region(mesh, eye) for eye in (0, 1)]
        right, left = (part_view(image, region) for region in regions)
        views = np.stack([right, left[:, ::-1]])
        points = self._network(views)
        return np.stack(
            [from_view(points[0], regions[0]), from_view(points[1] * _MIRRORED, regions[1])]
        )


_NETWORKS = Spares(EyeNetwork)


def measure_eyes(image: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Measure both eyes with the network that comes with the package, see `EyeNetwork`.

    For use from several threads: as many networks are loaded as are needed at once.
    """
    with _NETWORKS.lent() as network:
        return network(image, mesh)
