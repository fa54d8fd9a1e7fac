"""One sample for the restoration network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RestorationSample:
    """What run time has in hand for a face, and what it should become."""

    pictures: NDArray[np.uint8]
    """(4, 256, 256, 3) RGB: the decoded face, the classically restored one, the real pixels beside
    them, and the answer."""
    mask: NDArray[np.uint8]
    """(256, 256), 255 where the real pixels show the person."""
    mesh: NDArray[np.float16]
    """(468, 2) of the face, crop pixels."""
    identity: NDArray[np.float32]
    """(2, 128) of the source and of the answer by the recogniser; NaN where they are not asked
    for."""
    weight: np.float32
    """Weight of the answer: 1 for a real picture, 0 where the restored face stands in for one."""
