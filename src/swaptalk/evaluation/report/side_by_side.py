"""Videos of several methods side by side, small enough to embed in a page."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.evaluation.observe import FPS
from swaptalk.media.image import read_image
from swaptalk.media.mux import AudioSource, mux
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter, available_codecs

#: Height of each picture, of its caption, and the encoder's rate factor: about 100 kB a second for
#: six pictures.
HEIGHT, CAPTION, _QUALITY = 176, 22, 30


def side_by_side(source: Path, videos: Mapping[str, Path], audio: Path, output: Path) -> Path:
    """Write the source photo and the videos next to each other, captioned, with the sound.

    VP9 where it can be written, because every current browser plays it; else H.264.

    Args:
        source: the photo.
        videos: path by caption, 25 fps; the shortest ends the video.
        audio: the sound.
        output: the MP4 to write.
    """
    photo = _fitted(read_image(source), "source")
    readers = {name: VideoReader(path, fps=Fraction(FPS)) for name, path in videos.items()}
    silent = output.with_suffix(".silent.mp4")
    try:
        count = min(len(reader) for reader in readers.values())
        streams = [reader.frames(range(count)) for reader in readers.values()]
        writer: VideoWriter | None = None
        codec = "vp9" if "vp9" in available_codecs() else "h264"
        for frames in zip(*streams, strict=True):
            row = np.concatenate(
                [photo, *(_fitted(f, name) for f, name in zip(frames, readers, strict=True))],
                axis=1,
            )
            if writer is None:
                writer = VideoWriter(
                    silent, row.shape[1], row.shape[0], FPS, codec=codec, quality=_QUALITY
                )
            writer.write(row)
        if writer is not None:
            writer.close()
        mux([silent], AudioSource(audio), output, FPS)
    finally:
        for reader in readers.values():
            reader.close()
        silent.unlink(missing_ok=True)
    return output


def _fitted(image: NDArray[np.uint8], caption: str) -> NDArray[np.uint8]:
    """A picture (H, W, 3) at the common height under its caption; the width is even."""
    width = max(2, round(image.shape[1] * HEIGHT / image.shape[0] / 2) * 2)
    small = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA)
    bar = np.full((CAPTION, width, 3), 255, np.uint8)
    text = caption.encode("ascii", "replace").decode()
    size = min(
        0.42,
        0.42 * (width - 6) / max(1, cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]),
    )
    cv2.putText(bar, text, (3, 15), cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([bar, small]).astype(np.uint8)
