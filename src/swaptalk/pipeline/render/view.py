"""The part of each picture that is shown: a crop that follows the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.plan import Plan

#: Standard deviation of the camera's smoothing (seconds): it swings like an operator, not like a
#: tracker.
CAMERA_SECONDS = 0.8
#: A face that moves less than this share of the crop within a scene does not move the camera.
STEADY_SHARE = 0.15
#: Height of the face's middle in the crop, as a share from the top.
_FACE_HEIGHT = 0.4


class View:
    """Cuts the shown part out of pictures of target frames.

    Args:
        plan: the job; its ``view`` is the size that is cut out.
        analyses: where the faces are, of each person; the middle between them is followed. Frames
            without a usable face get what lies between their neighbours.
    """

    def __init__(self, plan: Plan, analyses: Sequence[Analysis]) -> None:
        self._size = plan.view
        self._corners: NDArray[np.intp] | None = None
        if plan.view != (plan.width, plan.height):
            room = np.array([plan.width - plan.view[0], plan.height - plan.view[1]])
            path = camera_path(analyses, plan.view, float(plan.fps), (plan.width, plan.height))
            self._corners = np.clip(np.rint(path), 0, room).astype(np.intp)

    def corner(self, frame: int) -> tuple[int, int]:
        """Left and top of what is shown of a target frame."""
        if self._corners is None:
            return 0, 0
        left, top = self._corners[frame].tolist()
        return left, top

    def __call__(self, picture: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """The shown part of a target frame's picture (H, W) or (H, W, C)."""
        if self._corners is None:
            return picture
        (width, height), (left, top) = self._size, self.corner(frame)
        return np.ascontiguousarray(picture[top : top + height, left : left + width])


def camera_path(
    analyses: Sequence[Analysis], size: tuple[int, int], fps: float, whole: tuple[int, int]
) -> NDArray[np.float64]:
    """Left upper corners (N, 2) of crops of ``size`` that follow faces, smooth within scenes."""
    analysis = analyses[0]
    wanted = np.full((len(analysis), 2), np.nan)
    middle = np.array([[CROP_SIZE / 2, CROP_SIZE / 2]], np.float32)
    for frame in range(len(analysis)):
        seen = [one.alignment(frame).to_image(middle)[0] for one in analyses if one.usable(frame)]
        if seen:
            wanted[frame] = np.mean(seen, axis=0)
    aim = np.array([size[0] / 2, size[1] * _FACE_HEIGHT])
    scenes = np.array([analysis.scene(frame) for frame in range(len(analysis))])
    path = np.empty_like(wanted)
    for scene in np.unique(scenes):
        inside = scenes == scene
        path[inside] = _scene_path(wanted[inside], size, fps, np.array(whole) / 2) - aim
    return path


def _scene_path(
    centres: NDArray[np.float64], size: tuple[int, int], fps: float, middle: NDArray[np.float64]
) -> NDArray[np.float64]:
    seen = ~np.isnan(centres[:, 0])
    if not seen.any():
        return np.broadcast_to(middle, centres.shape).copy()
    frames = np.arange(len(centres))
    filled = np.stack(
        [np.interp(frames, frames[seen], centres[seen, axis]) for axis in (0, 1)], axis=1
    )
    moved = np.ptp(filled, axis=0)
    radius = round(3 * CAMERA_SECONDS * fps)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (CAMERA_SECONDS * fps)) ** 2)
    weights /= weights.sum()
    path = np.empty_like(filled)
    for axis in (0, 1):
        if moved[axis] < STEADY_SHARE * size[axis]:
            path[:, axis] = np.median(filled[:, axis])
        else:
            padded = np.pad(filled[:, axis], radius, mode="edge")
            path[:, axis] = np.convolve(padded, weights, mode="valid")
    return path
