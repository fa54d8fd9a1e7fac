"""Frame counts, lengths and the place of the sound, for every rate that a target may have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.media.audio import read_audio
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.api import SwapTalk

RATES = [Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(50)]
ONSET = 0.5  # seconds of silence before the voice


def variable_rate(path: Path, portrait: NDArray[np.uint8]) -> Path:
    """A phone's video: pictures 33 or 50 ms apart."""
    stamps = np.cumsum([0, *np.random.default_rng(1).choice([33, 33, 50], 24)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 144, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(portrait[8:152, 8:168]), "rgb24"
            )
            frame.pts, frame.time_base = int(stamp), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    "rate", [*RATES, None], ids=lambda rate: "variable" if rate is None else f"{float(rate):.2f}"
)
def test_length_and_sync(
    maker: SwapTalk,
    make_clip,
    make_wav,
    voice,
    portrait: NDArray[np.uint8],
    tmp_path: Path,
    rate: Fraction | None,
) -> None:
    seconds = Fraction(11, 10)
    target = (
        variable_rate(tmp_path / "vfr.mp4", portrait)
        if rate is None
        else make_clip(frames=6, fps=rate)
    )
    audio = make_wav(
        samples=np.concatenate([np.zeros(round(ONSET * 16000), np.float32), voice(0.6)])
    )
    # The stand-in's mouth lightens with the sound, which is seen even in a face that moves.
    output = tmp_path / "out.mp4"
    report = maker.generate(target=target, audio=audio, output=output, lips="latent")
    info = probe(tmp_path / "out.mp4")
    assert report is not None and info.video is not None and info.audio is not None
    fps = info.video.average_fps
    assert not info.video.variable_rate and fps == (rate or Fraction(report.frame_rate))
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert len(reader) == report.frames == int(seconds * fps + Fraction(1, 2))
        mouth = [float(frame[70:100, 55:95].mean()) for frame in reader.frames()]
    assert abs(info.audio.duration - info.video.duration) < 1 / fps
    # The sound begins where it did; the mouth opens with it, the lead of the lips included.
    sound = np.abs(read_audio(tmp_path / "out.mp4"))
    assert np.flatnonzero(sound > 0.02)[0] / 16000 == pytest.approx(ONSET, abs=0.015)
    rise = np.array(mouth) - mouth[0]
    opened = int(np.flatnonzero(rise > rise.max() / 2)[0]) / fps
    assert ONSET - 0.16 <= opened <= ONSET + 0.12
