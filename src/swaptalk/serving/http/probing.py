"""Inspect the headers of an uploaded file, and listen into recordings, in a decoding process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from swaptalk.media.audio import stream_audio
from swaptalk.media.image import image_size, is_image
from swaptalk.media.probe import probe

#: Seconds of a recording in which something must be heard, and the amplitude of what can be: -50 dB
#: of full scale. The noise of a microphone that is switched on is louder.
_LISTEN_SECONDS, _AUDIBLE = 60.0, 0.003


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
        sound = sound and {**sound, "silent": _is_silent(path)}
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


def _is_silent(path: Path) -> bool:
    """Whether nothing is heard in the beginning of a recording; the first sound ends the search."""
    return all(
        float(np.abs(samples).max()) < _AUDIBLE
        for samples in stream_audio(path, end=_LISTEN_SECONDS)
    )
