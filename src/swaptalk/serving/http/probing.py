"""Inspect the headers of an uploaded file, in a decoding process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swaptalk.media.image import image_size, is_image
from swaptalk.media.probe import probe


def describe(path: Path) -> dict[str, Any]:
    """Kind (photo, video, audio), size in pixels, seconds, rate, codecs.

    Raises:
        InputError: nothing that could be used.
    """
    if is_image(path):
        width, height = image_size(path)
        return {"kind": "photo", "width": width, "height": height}
    info = probe(path)
    sound = (
        None
        if info.audio is None
        else {"codec": info.audio.codec, "sample_rate": info.audio.sample_rate}
    )
    if info.video is None:
        return {"kind": "audio", "seconds": round(info.duration, 3), "sound": sound}
    video = info.video
    return {
        "kind": "video",
        "width": video.width,
        "height": video.height,
        "seconds": round(video.duration, 3),
        "fps": round(float(video.average_fps), 3),
        "frames": video.frame_count_estimate,
        "codec": video.codec,
        "truncated": video.truncated,
        "sound": sound,
    }
