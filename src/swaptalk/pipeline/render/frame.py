"""One output frame on its way through the stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.face_composite import FaceComposite


@dataclass
class Frame:
    """One output frame on its way through the stages."""

    index: int
    """Number in the output."""
    target: int
    """Number in the target."""
    picture: NDArray[np.uint8]
    """The target's picture (H, W, 3), later the result."""
    face: NDArray[np.uint8] | None = None
    """The new face (256, 256, 3); None lets the picture pass as it is."""
    composite: FaceComposite | None = None
    """The classical swap of its face, or its mouth moved in the picture, where it was made."""
    mesh: NDArray[np.float32] | None = None
    """Mesh (468, 3) that covers the target's face and the new one, where they differ."""
    tokens: NDArray[np.float32] | None = None
    """Motion tokens (W, D) of the mouth that the lip-sync network made."""
