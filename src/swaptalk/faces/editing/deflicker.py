"""Take flicker out of a new face where the target stands still.

Landmarks tremble by fractions of a pixel, and the networks answer a little differently to each
frame; on skin that does not move this is seen as boiling. There the face of the frame before, moved
to where it belongs now, is mixed in. What moves, in the target or in the new face, is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE, Alignment

#: Share of the face before where nothing moves: flicker falls to half.
SHARE = 0.6
#: Changes of brightness from frame to frame, in grey levels, up to which a place stands still, and
#: from which it moves: in the target, and in the new face, whose flicker is stronger.
TARGET_STILL, FACE_STILL = (1.0, 3.0), (3.0, 8.0)
#: Changes are judged over this neighbourhood, crop pixels (standard deviation).
REACH = 3.0
#: Moves of the crop's corners by less than this, in pixels, are none.
_NEGLIGIBLE_MOVE = 0.02
#: Both are judged on every second pixel.
_COARSE = CROP_SIZE // 2


class Deflicker:
    """Steadies the faces of one track, frame after frame."""

    def __init__(self) -> None:
        self._before: tuple[NDArray[np.uint8], NDArray[np.uint8], Alignment] | None = None

    def reset(self) -> None:
        """Forget the frame before."""
        self._before = None

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """The frame before, as arrays by name; setting it goes on where another one was."""
        if self._before is None:
            return {}
        face, crop, alignment = self._before
        return {"steady_face": face, "steady_crop": crop, "steady_alignment": alignment.matrix}

    @state.setter
    def state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._before = None
        if "steady_face" in state:
            alignment = Alignment(state["steady_alignment"])
            self._before = state["steady_face"], state["steady_crop"], alignment

    def __call__(
        self, face: NDArray[np.uint8], crop: NDArray[np.uint8], alignment: Alignment
    ) -> NDArray[np.uint8]:
        """The face (256, 256, 3) uint8 RGB with less flicker.

        Args:
            face: (256, 256, 3) uint8 RGB, the new content of the aligned crop.
            crop: (256, 256, 3) uint8 RGB, the target's own.
            alignment: how both lie in the picture.
        """
        seen = _grey(crop)
        if self._before is not None:
            face = self._steadied(face, seen, alignment, *self._before)
        self._before = face, seen, alignment
        return face

    def _steadied(
        self,
        face: NDArray[np.uint8],
        seen: NDArray[np.uint8],
        alignment: Alignment,
        before: NDArray[np.uint8],
        seen_before: NDArray[np.uint8],
        alignment_before: Alignment,
    ) -> NDArray[np.uint8]:
        """The face with that of the frame before mixed in; crops are seen as `_grey` shows them."""
        move = _move(alignment_before, alignment)
        if move is not None:
            seen_before = _moved(seen_before, _halved(move), cv2.INTER_LINEAR)
        share = _stillness(seen, seen_before, TARGET_STILL)
        if not share.any():
            return face
        if move is not None:
            before = _moved(before, move, cv2.INTER_CUBIC)  # again and again: linear would blur
        share *= SHARE * _stillness(_grey(face), _grey(before), FACE_STILL)
        share = np.asarray(cv2.resize(share, (CROP_SIZE, CROP_SIZE)), np.float32)
        return np.asarray(cv2.blendLinear(face, before, 1 - share, share), np.uint8)


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness (128, 128) of a crop."""
    small = cv2.resize(picture, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _move(was: Alignment, now: Alignment) -> NDArray[np.float64] | None:
    """How pixels (2, 3) of the crop before lie in this one; None where they lie in place."""
    whole = np.vstack([was.inverse, [0.0, 0.0, 1.0]])
    move = np.asarray(now.matrix @ whole, np.float64)
    corners = np.array([[x, y, 1.0] for x in (0, CROP_SIZE - 1) for y in (0, CROP_SIZE - 1)])
    apart = np.abs(corners @ move.T - corners[:, :2]).max()
    return None if apart < _NEGLIGIBLE_MOVE else move


def _halved(move: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same move in pixels twice as large."""
    halved = move.copy()
    # Centre of coarse pixel c: 2 c + 0.5.
    halved[:, 2] = (move[:, :2] @ np.full(2, 0.5) + move[:, 2] - 0.5) / 2
    return halved


def _moved(
    picture: NDArray[np.uint8], move: NDArray[np.float64], interpolation: int
) -> NDArray[np.uint8]:
    size = picture.shape[1::-1]
    border = cv2.BORDER_REPLICATE
    return np.asarray(
        cv2.warpAffine(picture, move, size, flags=interpolation, borderMode=border), np.uint8
    )


def _stillness(
    now: NDArray[np.uint8], before: NDArray[np.uint8], limits: tuple[float, float]
) -> NDArray[np.float32]:
    """Where a picture (128, 128) stands still, 0..1."""
    change = cv2.subtract(now, before, dtype=cv2.CV_32F)
    change = np.abs(cv2.GaussianBlur(change, (0, 0), REACH / 2))
    still, moving = limits
    return np.asarray(np.clip((moving - change) / (moving - still), 0, 1), np.float32)
