"""Frames of the target that show its mouth, from which mouths are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.lips import LipNetwork
from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.lip_composite import LipReference, agreeing
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.pipeline.networks import Latents, Networks
from swaptalk.pipeline.render.lip_motion import LipMotion

#: Where no reference's mouth is as open as this (share of its width), the lip-sync network makes
#: one that is: photographs and silent scenes show no teeth.
OPEN_MOUTH = 0.22
#: Opening of the mouth that it makes, eye distances.
MADE_OPENING = 0.14


class LipReferences:
    """Reference frames of one target.

    Args:
        networks: make an open mouth where there is none.
        motion: where motion moves the lips.
        faces: gives the faces of the reference frames by number, swapped where the swap comes
            first.
        embed: latents (1, C, 16, 16) of such a face and its number, as the lip-sync network gets
            them.
        shape: gives the mean shape (468, 3) of the references' face.
    """

    def __init__(
        self,
        networks: Networks,
        motion: LipMotion,
        faces: Callable[[], Mapping[int, FaceComposite]],
        embed: Callable[[int, FaceComposite], Latents],
        shape: Callable[[], NDArray[np.float32]],
    ) -> None:
        self._networks, self._motion = networks, motion
        self._faces, self._embed, self._shape = faces, embed, shape

    @cached_property
    def found(self) -> list[LipReference]:
        """Reference frames, and one made by the network where all their mouths are closed."""
        faces = self._faces()
        found = agreeing([LipReference(face.picture, face.mesh) for face in faces.values()])
        widest = max(found, key=lambda reference: reference.opening)
        if widest.opening < OPEN_MOUTH:
            (number,) = (one for one, face in faces.items() if face.picture is widest.crop)
            found.append(self._opened(number, faces[number]))
        return found

    def _opened(self, number: int, face: FaceComposite) -> LipReference:
        """The face as the lip-sync network opens its mouth."""
        motion = self._motion.opened(MADE_OPENING)
        token = self._motion.token(motion)
        window = np.broadcast_to(token, (1, self._networks.motion_window, len(token)))
        latents = self._embed(number, face)
        made = self._networks.lipsync(latents, latents, np.ascontiguousarray(window))
        picture = self._networks.decode(made)[0]
        mesh = self._motion.move(face.mesh, self._shape(), motion)
        seen = LipNetwork()(picture, mesh)
        # A network that was never trained opens nothing; then the mesh as meant is the better one.
        mesh = seen if mouth_openness(seen) > OPEN_MOUTH / 2 else mesh
        return LipReference(picture, mesh, real=False)
