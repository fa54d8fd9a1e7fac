"""Pictures that go with jobs: frames of a preview, the poster of a finished video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.image import is_image, read_image, write_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.render.preview import PreviewFrame
from swaptalk.pipeline.target import resized

#: Longest sides in pixels: of a whole frame of a preview, and of the poster in the list.
FRAME_SIDE, POSTER_SIDE = 1280, 640


def fitted(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture (H, W, 3), scaled down if a side is longer than ``side``."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    return resized(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def frame_file(index: int, picture: str) -> str:
    """Name of a picture of a preview's frame."""
    return f"frame-{index}-{picture}.jpg"


def write_frame(job: str, index: int, frame: PreviewFrame, folder: Path) -> dict[str, Any]:
    """Write the pictures of a preview's frame; returns what the API says of them."""
    pictures = {
        "before": fitted(frame.before, FRAME_SIDE),
        "after": fitted(frame.after, FRAME_SIDE),
    }
    if frame.face is not None:
        pictures["face-before"] = frame.close_up(frame.before)
        pictures["face-after"] = frame.close_up(frame.after)
    for name, picture in pictures.items():
        write_image(folder / frame_file(index, name), picture)
    base = f"/api/v1/jobs/{job}/frames/{index}"
    paths = {name: f"{base}/{name}" if name in pictures else None for name in _NAMES}
    return {
        "time": round(frame.seconds, 3),
        "before": paths["before"],
        "after": paths["after"],
        "face": frame.face,
        "face_before": paths["face-before"],
        "face_after": paths["face-after"],
    }


_NAMES = ("before", "after", "face-before", "face-after")


def write_poster(output: Path, poster: Path) -> None:
    """Write a small picture of a finished video's middle, or of a finished picture."""
    if is_image(output):
        picture = read_image(output)
    else:
        with VideoReader(output) as video:
            picture = next(iter(video.frames([len(video) // 2])))
    write_image(poster, fitted(picture, POSTER_SIDE))
