from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from av.video.format import VideoFormat

from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader

MakeVideo = Callable[..., Path]

TICK = Fraction(1, 25)


def moment(time: float) -> np.ndarray:
    """(64, 128, 3) picture of a bright bar that moves by 6 pixels a unit of time."""
    x = np.arange(128)[None, :, None]
    bar = np.clip(8 - np.abs(x - 20 - 6 * time), 0, 1)
    return np.broadcast_to(np.round(40 + 180 * bar), (64, 128, 3)).astype(np.uint8)


def woven(first_field: int) -> Callable[[int], np.ndarray]:
    """Frames of two fields, half a frame apart in time; ``first_field`` 0: the upper lines."""

    def picture(number: int) -> np.ndarray:
        frame = moment(number).copy()
        frame[1 - first_field :: 2] = moment(number + 0.5)[1 - first_field :: 2]
        return frame

    return picture


def combing(picture: np.ndarray) -> float:
    """Mean height of lines that stand out from the one above and the one below alike, in
    levels.
    """
    y = picture[..., 1].astype(float)
    above, below = y[1:-1] - y[:-2], y[1:-1] - y[2:]
    return float(np.mean(np.minimum(np.abs(above), np.abs(below)) * (above * below > 0)))


def interlaced(path: Path, order: str, codec: str = "libx264") -> Path:
    """30 woven frames flagged as interlaced; ``order`` tff: the upper field comes first."""
    graph = Graph()
    source = graph.add_buffer(width=128, height=64, format=VideoFormat("rgb24"), time_base=TICK)
    flags, sink = graph.add("setfield", f"mode={order}"), graph.add("buffersink")
    source.link_to(flags)
    flags.link_to(sink)
    graph.configure()
    quality = {"crf": "8", "preset": "ultrafast"} if codec == "libx264" else {"b": "4000000"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={**quality, "flags": "+ildct+ilme"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.gop_size = 12
        for number in range(30):
            picture = woven(0 if order == "tff" else 1)(number)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, TICK
            source.push(frame)
            container.mux(
                stream.encode(
                    sink.pull().reformat(format="yuv420p", dst_color_range="MPEG")  # type: ignore[attr-defined]
                )
            )
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_interlaced_frames_are_deinterlaced(tmp_path: Path, order: str, codec: str) -> None:
    """No combing is left, and the bar stands where the first field saw it."""
    path = interlaced(tmp_path / "fields.mkv", order, codec)
    assert combing(woven(0)(3)) > 5
    info = probe(path).video
    assert info is not None and info.interlaced
    with VideoReader(path) as reader:
        seen = list(reader.frames())
    assert len(seen) == 30
    for number in (0, 10, 14):  # the last of them leave the picture
        assert combing(seen[number]) < 1.2
    for number in (5, 10):
        error = seen[number][16:48].astype(float) - moment(number)[16:48]
        assert np.sqrt(np.mean(error**2)) < 8


def test_any_order_of_frames_gives_the_same_pictures(tmp_path: Path) -> None:
    """Also right after a seek to a key frame, where the frame before is not known."""
    path = interlaced(tmp_path / "fields.mp4", "tff")
    with VideoReader(path) as reader:
        straight = list(reader.frames())
        order = [25, 12, 24, 23, 0, 11, 13, 12]
        for number, frame in zip(order, reader.frames(order), strict=True):
            np.testing.assert_array_equal(frame, straight[number])


def test_progressive_frames_pass_bit_by_bit(make_video: MakeVideo) -> None:
    """The same pictures without the flag keep their combs: nothing else decides."""
    path = make_video("plain.mp4", frames=6, picture=woven(0), video_options={"crf": "8"})
    info = probe(path).video
    assert info is not None and not info.interlaced
    with VideoReader(path) as reader:
        assert combing(list(reader.frames())[3]) > 4
