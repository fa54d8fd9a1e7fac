"""Read the target's frames at the rate and size of the output, from a video or a photo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.inputs import InputFile

#: A photo is shown at this rate unless another one is asked for: that of the motion tokens.
PHOTO_FPS = Fraction(25)


def resized(frame: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize a frame (H, W, 3) or a plane (H, W), with a low-pass where it shrinks."""
    if frame.shape[:2] == (height, width):
        return frame
    shrinks = width * height < frame.shape[0] * frame.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (width, height), interpolation=kind), np.uint8)


class TargetFrames:
    """Reads the frames of one target; not for use from several threads at once, but cheap to open
    again.

    Args:
        file: video or photo.
        fps: frames per second; None for the target's own.
        start, end: part of the video in seconds.
        size: (width, height) to resize to; None for the target's own.

    Raises:
        InputError: the file cannot be used.
    """

    def __init__(
        self,
        file: InputFile,
        fps: Fraction | None = None,
        start: float = 0.0,
        end: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self._video: VideoReader | None = None
        #: How opaque the pixels of a photo are, (H, W) uint8; None if all of it is, and of a video.
        self.alpha: NDArray[np.uint8] | None = None
        if file.is_photo:
            still = file.still()
            photo, alpha = still.picture, still.alpha
            self.fps, self._length = fps or PHOTO_FPS, 1
            own_size = (photo.shape[1], photo.shape[0])
            self._photo = photo if size is None else resized(photo, *size)
            self.alpha = alpha if size is None or alpha is None else resized(alpha, *size)
        else:
            self._video = VideoReader(file.path, fps=fps, start=start, end=end)
            self.fps, self._length = self._video.fps, len(self._video)
            own_size = (self._video.width, self._video.height)
        self.width: int
        self.height: int
        self.width, self.height = size or own_size

    def __len__(self) -> int:
        """Number of different frames; 1 for a photo."""
        return self._length

    def frames(self, indices: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Yield RGB frames (height, width, 3) uint8 in the order of ``indices``; each is the
        caller's own copy.
        """
        if self._video is None:
            for _ in indices:
                yield self._photo.copy()
            return
        for frame in self._video.frames(indices):
            yield resized(frame, self.width, self.height)

    def alphas(self, indices: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Yield how opaque the pixels of a video's frames are, (height, width) uint8."""
        assert self._video is not None
        for plane in self._video.alphas(indices):
            yield resized(plane, self.width, self.height)

    def close(self) -> None:
        """Release the file."""
        if self._video is not None:
            self._video.close()

    def __enter__(self) -> TargetFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
