"""What happens to marked videos on their way: encoded again, scaled, cropped, recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter

Frames = list[NDArray[np.uint8]]


def recode(frames: Frames, crf: float, preset: str = "medium", fps: Fraction | int = 25) -> Frames:
    """H.264 and back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        height, width = (side - side % 2 for side in frames[0].shape[:2])
        with VideoWriter(path, width, height, fps, quality=crf, preset=preset) as writer:
            for frame in frames:
                writer.write(np.ascontiguousarray(frame[:height, :width]))
        with VideoReader(path) as reader:
            return list(reader.frames())


def scaled(frames: Frames, factor: float) -> Frames:
    """Resize to even sides."""
    height, width = frames[0].shape[:2]
    size = (round(width * factor / 2) * 2, round(height * factor / 2) * 2)
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return [np.asarray(cv2.resize(frame, size, interpolation=kind), np.uint8) for frame in frames]


def cropped(frames: Frames, share: float) -> Frames:
    """Cut ``share`` of each side away, off the centre."""
    height, width = frames[0].shape[:2]
    top, left = round(height * share * 0.4), round(width * share * 0.7)
    bottom, right = top + round(height * (1 - share)), left + round(width * (1 - share))
    return [frame[top:bottom, left:right] for frame in frames]


def screen_recorded(frames: Frames) -> Frames:
    """A player window with a border on a screen of 30 Hz, enlarged by a third, recorded and encoded
    again.
    """
    border = partial(
        cv2.copyMakeBorder,
        top=40,
        bottom=56,
        left=60,
        right=44,
        borderType=cv2.BORDER_CONSTANT,
        value=(32, 32, 36),
    )
    shown = [np.asarray(border(one), np.uint8) for one in scaled(frames, 4 / 3)]
    return [shown[index * 25 // 30] for index in range(len(shown) * 30 // 25)]


ATTACKS: dict[str, Callable[[Frames], Frames]] = {
    "as written (CRF 18)": lambda frames: frames,
    "H.264 CRF 23": lambda frames: recode(frames, 23),
    "H.264 CRF 28": lambda frames: recode(frames, 28),
    "H.264 CRF 32": lambda frames: recode(frames, 32),
    "scaled to 50 %, CRF 23": lambda frames: recode(scaled(frames, 0.5), 23),
    "scaled to 75 %, CRF 23": lambda frames: recode(scaled(frames, 0.75), 23),
    "scaled to 150 %, CRF 23": lambda frames: recode(scaled(frames, 1.5), 23),
    "20 % of each side cropped, CRF 23": lambda frames: recode(cropped(frames, 0.2), 23),
    "brightness x 1.5, CRF 23": lambda frames: recode(
        [np.asarray(cv2.convertScaleAbs(one, alpha=1.5), np.uint8) for one in frames], 23
    ),
    "screen recording, 30 fps, CRF 26": lambda frames: recode(screen_recorded(frames), 26, fps=30),
}
