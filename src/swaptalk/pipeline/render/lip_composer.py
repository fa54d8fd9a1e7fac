"""Give faces the mouth that the sound wants: reference frames warped in the picture, before they
are encoded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.lip_composite import composite_lips, mouth_inside
from swaptalk.pipeline.render.lip_motion import LipMotion
from swaptalk.pipeline.render.lip_references import LipReferences


class LipComposer:
    """Warps reference frames of one target to the mouths that motion tokens describe.

    Args:
        references: of the target.
        motion: where motion moves the lips.
    """

    def __init__(self, references: LipReferences, motion: LipMotion) -> None:
        self._references, self._motion = references, motion

    def compose(
        self,
        face: FaceComposite,
        shape: NDArray[np.float32],
        tokens: NDArray[np.float32],
    ) -> FaceComposite:
        """Picture with the new mouth.

        Args:
            face: the picture, with the mask of a swap (all 0 without one) and the mesh.
            shape: mean shape (468, 3) of such faces in their scene, in any place and size.
            tokens: motion tokens (W, D), the middle one of the moment.

        Returns:
            The picture; where it shows the source, if there is one; the mesh with the new
            mouth.
        """
        mesh = self._motion.move(face.mesh, shape, self._motion.heard(tokens, closes=True))
        made = composite_lips(self._references.found, face.picture, face.mesh, mesh)
        # The references show as much of a source as the face at most does, but between the lips.
        shown = np.maximum(face.mask, float(face.mask.max()) * made.mask)
        shown = np.asarray(shown * (1 - mouth_inside(mesh)), np.float32)
        return FaceComposite(made.picture, shown, mesh, face.kept)
