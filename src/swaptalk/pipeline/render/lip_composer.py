"""Give faces the mouth that the sound wants: reference frames warped in the picture, before they
are encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.lips import LipNetwork
from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.lip_composite import (
    LipReference,
    agreeing,
    composite_lips,
    mouth_inside,
)
from swaptalk.faces.geometry.lip_shape import face_shape, lip_shape_model
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.pipeline.networks import Latents, Networks

#: Where no reference's mouth is as open as this (share of its width), the lip-sync network makes
#: one that is: photographs and silent scenes show no teeth.
OPEN_MOUTH = 0.22
#: Opening of the mouth that it makes, eye distances.
MADE_OPENING = 0.14
#: Mean openings that the audio encoder hears, and those seen at the same quantiles of training
#: clips, eye distances. A mean over what might be said seldom closes where lips do; wider openings
#: are left as they are.
HEARD = (0.0, 0.008, 0.017, 0.032, 0.043, 0.07, 1.0)
SEEN = (0.0, 0.005, 0.008, 0.016, 0.027, 0.07, 1.0)


class LipComposer:
    """Warps reference frames of one target to the mouths that motion tokens describe.

    Args:
        networks: give the scale of the tokens, and make an open mouth where there is none.
        references: gives the faces of the reference frames by number, swapped where the swap comes
            first.
        embed: latents (N, C, 16, 16) of composites, as the lip-sync network gets them.
        shape: mean shape of the references' face.
    """

    def __init__(
        self,
        networks: Networks,
        references: Callable[[], Mapping[int, FaceComposite]],
        embed: Callable[[list[FaceComposite]], Latents],
        shape: NDArray[np.float32],
    ) -> None:
        self._networks, self._faces, self._embed = networks, references, embed
        self._shape = shape
        self._model = lip_shape_model()
        mean, self._spread = networks.motion_scale
        self._mean = np.where(np.arange(len(mean)) < ABSOLUTE_CHANNELS, mean, 0)
        self._neutral: dict[bytes, NDArray[np.float32]] = {}

    @cached_property
    def references(self) -> list[LipReference]:
        """Reference frames, and one made by the network where all their mouths are closed."""
        faces = self._faces().values()
        found = agreeing([LipReference(face.picture, face.mesh) for face in faces])
        widest = max(found, key=lambda reference: reference.opening)
        if widest.opening < OPEN_MOUTH:
            (face,) = (face for face in faces if face.picture is widest.crop)
            found.append(self._opened(face))
        return found

    def _opened(self, face: FaceComposite) -> LipReference:
        """The face as the lip-sync network opens its mouth."""
        motion = self._model.opened(MADE_OPENING)
        token = np.asarray((motion - self._mean) / self._spread, np.float32)
        window = np.broadcast_to(token, (1, self._networks.motion_window, len(token)))
        latents = self._embed([face])
        made = self._networks.lipsync(latents, latents, np.ascontiguousarray(window))
        picture = self._networks.decode(made)[0]
        neutral = self._model.neutral(face_shape(self._shape))
        mesh = self._model.move(face.mesh, neutral, motion)
        seen = LipNetwork()(picture, mesh)
        # A network that was never trained opens nothing; then the mesh as meant is the better one.
        mesh = seen if mouth_openness(seen) > OPEN_MOUTH / 2 else mesh
        return LipReference(picture, mesh, real=False)

    def compose(
        self,
        face: FaceComposite,
        shape: NDArray[np.float32],
        motion: NDArray[np.float32],
    ) -> FaceComposite:
        """Picture with the new mouth.

        Args:
            face: the picture, with the mask of a swap (all 0 without one) and the mesh.
            shape: mean shape (468, 3) of such faces in their scene, in any place and size.
            motion: motion tokens (W, D), the middle one of the moment.

        Returns:
            The picture; where it shows the source, if there is one; the mesh with the new
            mouth.
        """
        key = shape.tobytes()
        if key not in self._neutral:
            self._neutral[key] = self._model.neutral(face_shape(shape))
        raw = motion[len(motion) // 2] * self._spread + self._mean
        heard = float(raw[:ABSOLUTE_CHANNELS].mean())
        raw = raw + (float(np.interp(heard, HEARD, SEEN)) - heard) * self._model.opening_motion
        mesh = self._model.move(face.mesh, self._neutral[key], raw)
        made = composite_lips(self.references, face.picture, face.mesh, mesh)
        # The references show as much of a source as the face at most does, but between the lips.
        shown = np.maximum(face.mask, float(face.mask.max()) * made.mask)
        shown = np.asarray(shown * (1 - mouth_inside(mesh)), np.float32)
        return FaceComposite(made.picture, shown, mesh)
