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
from swaptalk.faces.editing.mouth_restoration import MouthGuide, mouth_guide, restore_mouth
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.render.face_swapper import FaceSwapper
from swaptalk.pipeline.render.frame import Frame
from swaptalk.pipeline.render.lip_motion import LipMotion
from swaptalk.pipeline.render.lip_references import LipReferences

#: Composites kept for frames that come again soon.
KEPT_COMPOSITES = 16


class MouthGuides:
    """Finds the person's own pixels for mouths that the lip-sync network made.

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
    ) -> MouthGuide:
        """The person's own pixels for the mouth of a face.

        Args:
            face: (256, 256, 3), as decoded.
            mesh: (468, 3) of the face before its mouth moved.
            shape: mean shape (468, 3) of such faces in their scene.
            tokens: motion tokens (W, D) that the mouth was made of.
        """
        meant = self._motion.move(mesh, shape, self._motion.heard(tokens))
        return mouth_guide(self._references.found, face, meant, self._lips(face, meant))


class Restoration:
    """Restores faces of one person, in one thread; close it.

    Args:
        networks: one of them goes over what is restored, if they have it.
        analysis: first pass of the target, opened for this thread.
        swapper: opened for this thread; None where faces are not swapped, or composed before they
            come here.
        mouths: pixels for mouths that speak; None where none does.
    """

    def __init__(
        self,
        networks: Networks,
        analysis: Analysis,
        swapper: FaceSwapper | None,
        mouths: MouthGuides | None,
    ) -> None:
        self._networks = networks
        self._analysis, self._swapper, self._mouths = analysis, swapper, mouths
        self._composites: OrderedDict[int, FaceComposite] = OrderedDict()

    def close(self) -> None:
        """Release the files that are read from."""
        self._analysis.close()
        if self._swapper is not None:
            self._swapper.close()

    def __call__(self, frame: Frame) -> NDArray[np.uint8]:
        """The restored face (256, 256, 3) of a frame that has one."""
        assert frame.face is not None
        composite, face = self._composite(frame), frame.face
        mouth = self._guide(frame, composite)
        crop = self._analysis.crop(frame.target, frame.picture)
        guide, mask = crop, np.zeros(crop.shape[:2], np.float32)
        if composite is not None:
            guide, mask = composite.picture, composite.mask
            share = None if mouth is None else 1 - mouth.mask
            face = restore_fine_structure(face, composite, crop, share)
        if mouth is not None:
            face = restore_mouth(face, mouth)
            guide, mask = mouth.on(guide), mask * (1 - mouth.mask) + mouth.mask
        if not self._networks.restores or not mask.any():
            return face
        whole = np.round(255 * mask).astype(np.uint8)
        made = self._networks.restore(frame.face[None], face[None], guide[None], whole[None])
        return np.asarray(made[0])

    def _guide(self, frame: Frame, composite: FaceComposite | None) -> MouthGuide | None:
        """Pixels for the mouth of a frame; None where it is not made by the lip-sync network."""
        if frame.tokens is None or self._mouths is None:
            return None
        assert frame.face is not None
        scene = self._analysis.scene(frame.target)
        if composite is not None and self._swapper is not None:
            mesh, shape = composite.mesh, self._swapper.scene_shape(scene)
        else:
            mesh, shape = self._analysis.mesh(frame.target), self._analysis.scene_shape(scene)
        return self._mouths(frame.face, mesh, shape, frame.tokens)

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
