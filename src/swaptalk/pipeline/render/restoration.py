"""Give decoded faces of one person back what the decoder lost: the fine structure of the photo, and
the mouth of the target.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.lips import LipNetwork
from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.fine_structure import restore_fine_structure
from swaptalk.faces.editing.mask import mouth_mask
from swaptalk.faces.editing.mouth_restoration import restore_mouth
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.render.face_swapper import FaceSwapper
from swaptalk.pipeline.render.frame import Frame
from swaptalk.pipeline.render.lip_motion import LipMotion
from swaptalk.pipeline.render.lip_references import LipReferences

#: Composites kept for frames that come again soon.
KEPT_COMPOSITES = 16


class MouthRestorer:
    """Draws mouths again that the lip-sync network made.

    Args:
        references: of the target; made ready by the thread of the networks.
        motion: where motion moves the lips.
    """

    def __init__(self, references: LipReferences, motion: LipMotion) -> None:
        self._references, self._motion = references, motion
        self._lips = LipNetwork()

    def __call__(
        self,
        face: NDArray[np.uint8],
        mesh: NDArray[np.float32],
        shape: NDArray[np.float32],
        tokens: NDArray[np.float32],
    ) -> NDArray[np.uint8]:
        """The face (256, 256, 3) with its mouth drawn again.

        Args:
            face: as decoded.
            mesh: (468, 3) of the face before its mouth moved.
            shape: mean shape (468, 3) of such faces in their scene.
            tokens: motion tokens (W, D) that the mouth was made of.
        """
        meant = self._motion.move(mesh, shape, self._motion.heard(tokens))
        return restore_mouth(self._references.found, face, meant, self._lips(face, meant))


class Restoration:
    """Restores faces of one person, in one thread; close it.

    Args:
        analysis: first pass of the target, opened for this thread.
        swapper: opened for this thread; None where faces are not swapped, or composed before they
            come here.
        mouth: restores mouths that speak; None where none does.
    """

    def __init__(
        self, analysis: Analysis, swapper: FaceSwapper | None, mouth: MouthRestorer | None
    ) -> None:
        self._analysis, self._swapper, self._mouth = analysis, swapper, mouth
        self._composites: OrderedDict[int, FaceComposite] = OrderedDict()

    def close(self) -> None:
        """Release the files that are read from."""
        self._analysis.close()
        if self._swapper is not None:
            self._swapper.close()

    def __call__(self, frame: Frame) -> NDArray[np.uint8]:
        """The restored face (256, 256, 3) of a frame that has one."""
        assert frame.face is not None
        face, analysis = frame.face, self._analysis
        composite = self._composite(frame)
        spoken = frame.tokens is not None and self._mouth is not None
        if composite is not None:
            share = 1 - mouth_mask(composite.mesh) if spoken else None
            crop = analysis.crop(frame.target, frame.picture)
            face = restore_fine_structure(face, composite, crop, share)
        if spoken:
            assert self._mouth is not None and frame.tokens is not None
            scene = analysis.scene(frame.target)
            if composite is not None and self._swapper is not None:
                mesh, shape = composite.mesh, self._swapper.scene_shape(scene)
            else:
                mesh, shape = analysis.mesh(frame.target), analysis.scene_shape(scene)
            face = self._mouth(face, mesh, shape, frame.tokens)
        return face

    def _composite(self, frame: Frame) -> FaceComposite | None:
        """The composite that a frame's face was made of; composed again where only the swapped
        face was kept.
        """
        if frame.composite is not None or self._swapper is None:
            return frame.composite
        made = self._composites.get(frame.target)
        if made is None:
            crop = self._analysis.crop(frame.target, frame.picture)
            made = self._swapper.compose(crop, frame.target)
            self._composites[frame.target] = made
            if len(self._composites) > KEPT_COMPOSITES:
                self._composites.popitem(last=False)
        return made
