"""The lips of a face mesh, measured again by a small network of our own that looks at the mouth
alone.

The packaged mesh shows about half of a speaking mouth's opening. The network was distilled from
MediaPipe's 478-point network with refined lips (Grishchenko et al. 2020, arXiv 2006.10962), which
no package carries; `swaptalk train lips` made it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.part_view import from_view, lip_region, part_view
from swaptalk.faces.geometry.topology import LIPS
from swaptalk.inference.exact import ExactNetwork

#: The network that comes with the package.
NETWORK = Path(__file__).parent / "lips.onnx"


class LipNetwork:
    """Corrects the lip points of a mesh.

    Args:
        path: the ONNX file.
        threads: CPU threads.
    """

    def __init__(self, path: Path = NETWORK, threads: int = 1) -> None:
        self._network = ExactNetwork(path, threads)

    def __call__(
        self, image: NDArray[np.uint8], points: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Mesh (468, 3) of a face in an RGB image (H, W, 3), with its 40 lip points moved in the
        plane of the image.
        """
        region = lip_region(points)
        view = part_view(image, region)
        lips = self._network(view[None])
        refined = points.copy()
        refined[LIPS, :2] = from_view(lips[0], region)
        return refined
