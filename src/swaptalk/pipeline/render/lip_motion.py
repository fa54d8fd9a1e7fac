"""From motion tokens to the lower face of the meshes of one target."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.lip_shape import LipShapeModel, face_shape, lip_shape_model
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS

#: Mean openings that the audio encoder hears, and those seen at the same quantiles of training
#: clips, eye distances. A mean over what might be said seldom closes where lips do; wider openings
#: are left as they are.
HEARD = (0.0, 0.008, 0.017, 0.032, 0.043, 0.07, 1.0)
SEEN = (0.0, 0.005, 0.008, 0.016, 0.027, 0.07, 1.0)
#: Mean openings that the lip-sync network made on clips of validation people, and those that it had
#: been told, which were the real ones: wide mouths come out too small.
MADE = (0.0, 0.118, 0.132, 0.163, 0.214, 1.0)
TOLD = (0.0, 0.118, 0.146, 0.199, 0.282, 1.068)


class LipMotion:
    """Moves the lower face of meshes as motion tokens say.

    Args:
        scale: mean and spread (D,) of the tokens, see `Networks.motion_scale`.
    """

    def __init__(self, scale: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
        mean, self._spread = scale
        self._mean = np.where(np.arange(len(mean)) < ABSOLUTE_CHANNELS, mean, 0)
        self._neutral: dict[bytes, NDArray[np.float32]] = {}

    @cached_property
    def _model(self) -> LipShapeModel:
        return lip_shape_model()

    def opened(self, opening: float) -> NDArray[np.float32]:
        """Raw motion (D,) of a mouth with this mean opening, eye distances."""
        return self._model.opened(opening)

    def token(self, motion: NDArray[np.floating]) -> NDArray[np.float32]:
        """The token (..., D) of a raw motion (..., D)."""
        return np.asarray((motion - self._mean) / self._spread, np.float32)

    def heard(self, tokens: NDArray[np.float32], closes: bool = False) -> NDArray[np.float32]:
        """Raw motion (D,) in the middle of a window of tokens (W, D).

        Args:
            tokens: as the audio encoder hears them.
            closes: whether small openings are brought to those that are seen.
        """
        raw = tokens[len(tokens) // 2] * self._spread + self._mean
        if closes:
            opening = float(raw[:ABSOLUTE_CHANNELS].mean())
            more = float(np.interp(opening, HEARD, SEEN)) - opening
            raw = raw + more * self._model.opening_motion
        return np.asarray(raw, np.float32)

    def spoken(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """What to tell the lip-sync network, so that lips that should touch do, and wide mouths
        become as wide as they should.

        Args:
            tokens: (..., D) as the audio encoder hears them.
        """
        raw = tokens * self._spread + self._mean
        opening = raw[..., :ABSOLUTE_CHANNELS].mean(axis=-1)
        wanted = np.interp(opening, HEARD, SEEN)
        more = np.interp(wanted, MADE, TOLD) - opening
        return self.token(raw + more[..., None] * self._model.opening_motion)

    def move(
        self,
        mesh: NDArray[np.float32],
        shape: NDArray[np.float32],
        motion: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Mesh (468, 3) of a frame with its lower face as a raw motion (D,) wants it.

        Args:
            mesh: of the frame, crop pixels.
            shape: mean shape (468, 3) of such faces in their scene, in any place and size.
            motion: see `heard`.
        """
        key = shape.tobytes()
        if key not in self._neutral:
            self._neutral[key] = self._model.neutral(face_shape(shape))
        return self._model.move(mesh, self._neutral[key], motion)
