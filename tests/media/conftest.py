"""Small footage made on the spot: every frame carries its number, so that tests can tell which
picture they see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

#: Eight squares of 16 pixels in the top half show the frame number in binary; the lower half is for
#: colour.
WIDTH, HEIGHT, SQUARE = 128, 64, 16
AUDIO_RATE = 48000


def numbered_frame(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(height, width, 3) RGB frame that shows ``number`` (0..255)."""
    frame = np.full((height, width, 3), 96, np.uint8)
    for bit in range(8):
        frame[:SQUARE, bit * SQUARE : (bit + 1) * SQUARE] = 235 if number >> bit & 1 else 20
    return frame


def frame_number(frame: np.ndarray) -> int:
    """The number that a frame shows."""
    squares = [frame[4:12, bit * SQUARE + 4 : bit * SQUARE + 12].mean() > 128 for bit in range(8)]
    return sum(int(on) << bit for bit, on in enumerate(squares))


MakeVideo = Callable[..., Path]


@pytest.fixture(name="numbered_frame")
def _numbered_frame() -> Callable[..., np.ndarray]:
    return numbered_frame


@pytest.fixture(name="frame_number")
def _frame_number() -> Callable[[np.ndarray], int]:
    return frame_number


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Factory of test videos; see the inner function."""

    def make(
        name: str = "video.mp4",
        *,
        frames: int = 50,
        fps: Fraction | int = 25,
        stamps: Sequence[Fraction] | None = None,
        sound: np.ndarray | None = None,
        sound_start: Fraction = Fraction(0),
        picture: Callable[[int], np.ndarray] = numbered_frame,
        encoder: str = "libx264",
        pixel_format: str = "yuv420p",
        gop: int = 12,
        video_options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        **context: int,
    ) -> Path:
        path = tmp_path / name
        fps = Fraction(fps)
        with av.open(str(path), "w", options=container_options or {}) as container:
            defaults = (
                {"preset": "ultrafast", "bf": "2", "crf": "12"} if encoder == "libx264" else {}
            )
            video = container.add_stream(
                encoder, rate=fps, options={**defaults, **(video_options or {})}
            )
            first = picture(0)
            video.width, video.height, video.pix_fmt = first.shape[1], first.shape[0], pixel_format
            video.codec_context.gop_size = gop
            for key, value in context.items():
                setattr(video.codec_context, key, value)
            base = Fraction(1, 90000) if stamps is not None else 1 / fps
            video.codec_context.time_base = base
            audio = (
                container.add_stream("aac", rate=AUDIO_RATE, layout="mono")
                if sound is not None
                else None
            )
            for i in range(frames if stamps is None else len(stamps)):
                frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
                frame.pts = i if stamps is None else round(stamps[i] / base)
                frame.time_base = base
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if audio is not None and sound is not None:
                piece = av.AudioFrame.from_ndarray(
                    sound[None].astype(np.float32), format="fltp", layout="mono"
                )
                piece.sample_rate, piece.time_base = AUDIO_RATE, Fraction(1, AUDIO_RATE)
                piece.pts = round(sound_start * AUDIO_RATE)
                container.mux(audio.encode(piece))
                container.mux(audio.encode(None))
        return path

    return make


@pytest.fixture
def make_sound(tmp_path: Path) -> Callable[..., Path]:
    """Factory of sound files: samples (n,) or (n, channels) float -> path; codec and format follow
    the name."""

    def make(
        name: str, samples: np.ndarray, rate: int = AUDIO_RATE, codec: str = "pcm_f32le"
    ) -> Path:
        path = tmp_path / name
        samples = samples[:, None] if samples.ndim == 1 else samples
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1]]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate, layout=layout)
            if len(samples):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(samples.T, np.float32), format="fltp", layout=layout
                )
                frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
