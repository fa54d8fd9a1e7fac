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


def tall(picture: np.ndarray) -> np.ndarray:
    """The picture repeated to the height of television, 576 lines."""
    return np.ascontiguousarray(np.tile(picture, (9, 1, 1)))


@pytest.mark.parametrize("first_field", [0, 1])
def test_interlaced_frames_without_a_flag_are_found(
    make_video: MakeVideo, first_field: int
) -> None:
    """Which field comes first is found too: the bar stands where it saw it, also after a seek."""
    path = make_video(
        frames=14,
        picture=lambda number: tall(woven(first_field)(number)),
        video_options={"crf": "8"},
    )
    info = probe(path).video
    assert info is not None and not info.interlaced
    assert info.fields == ("tff", "bff")[first_field]
    with VideoReader(path) as reader:
        straight = list(reader.frames())
        (sought,) = reader.frames([12])
    assert len(straight) == 14
    np.testing.assert_array_equal(sought, straight[12])
    for number in (0, 6, 12):
        assert combing(straight[number]) < 1.2
        error = straight[number][16:560].astype(float) - tall(moment(number))[16:560]
        assert np.sqrt(np.mean(error**2)) < 8


def stripes(number: int) -> np.ndarray:
    """A bar that moves sideways before stripes of one line, 30 levels apart."""
    picture = tall(moment(number))
    picture[::2] += 30
    return picture


def falling(number: int) -> np.ndarray:
    """Stripes of two lines that fall by one a frame."""
    lines = (np.arange(576) - number) // 2 % 2
    picture = np.round(60 + 120 * lines)[:, None, None] + np.zeros((1, 128, 3))
    return np.asarray(picture, np.uint8)


@pytest.mark.parametrize("picture", [stripes, falling, lambda number: tall(moment(number))])
def test_fine_stripes_of_progressive_video_are_let_be(
    make_video: MakeVideo, picture: Callable[[int], np.ndarray]
) -> None:
    path = make_video(frames=12, picture=picture, video_options={"crf": "4"})
    info = probe(path).video
    assert info is not None and info.fields is None
    with VideoReader(path) as reader:
        for number, shown in enumerate(reader.frames()):
            assert np.abs(shown.astype(int) - picture(number)).mean() < 3


def test_small_progressive_frames_pass_bit_by_bit(make_video: MakeVideo) -> None:
    """Combs in a picture that is lower than any of television: nothing looks for them there."""
    path = make_video("plain.mp4", frames=6, picture=woven(0), video_options={"crf": "8"})
    info = probe(path).video
    assert info is not None and not info.interlaced
    with VideoReader(path) as reader:
        assert combing(list(reader.frames())[3]) > 4
