"""Frame-exact reading: rates, variable rate, orders of access, colour, rotation, odd sizes,
damage."""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader

NTSC = Fraction(30000, 1001)
Make = Callable[..., Path]
Number = Callable[[np.ndarray], int]


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts", "v.avi"])
@pytest.mark.parametrize("fps", [Fraction(25), NTSC, Fraction(30), Fraction(50)])
def test_own_rate_gives_every_frame_once(
    make_video: Make, frame_number: Number, name: str, fps: Fraction
) -> None:
    with VideoReader(make_video(name, fps=fps, frames=40)) as reader:
        assert (reader.fps, len(reader)) == (fps, 40)
        assert not reader.info.variable_rate
        assert [frame_number(f) for f in reader.frames()] == list(range(40))


@pytest.mark.parametrize("source", [Fraction(25), NTSC, Fraction(30), Fraction(50)])
@pytest.mark.parametrize("view", [Fraction(25), NTSC, Fraction(60), Fraction(12)])
def test_view_shows_the_picture_on_screen(
    make_video: Make, frame_number: Number, source: Fraction, view: Fraction
) -> None:
    with VideoReader(make_video(fps=source, frames=40), view) as reader:
        shown = [frame_number(f) for f in reader.frames()]
    assert len(shown) == len(reader) == int(40 / source * view + Fraction(1, 2))
    near = Fraction(2, 1000)  # time stamps are trusted to 2 ms
    if view == source:
        assert shown == list(range(40))
    else:
        assert shown == [min(39, int((i / view + near) * source)) for i in range(len(shown))]


def test_variable_rate(make_video: Make, frame_number: Number) -> None:
    steps = [1, 3, 1, 1, 2, 6, 1, 1, 4, 2] * 3  # in 1/30 s
    stamps = [Fraction(s, 30) for s in itertools.accumulate([0, *steps])]
    path = make_video(stamps=stamps)
    info = probe(path).video
    assert info is not None and info.variable_rate and info.average_fps == 30
    for view in (Fraction(25), Fraction(30), Fraction(50)):
        with VideoReader(path, view) as reader:
            shown = [frame_number(f) for f in reader.frames()]
        expected = [sum(s <= i / view for s in stamps) - 1 for i in range(len(shown))]
        assert shown == expected
        assert abs(len(shown) / view - stamps[-1]) <= Fraction(1, 12)


def test_jittered_stamps_neither_repeat_nor_drop(make_video: Make, frame_number: Number) -> None:
    rng = random.Random(1)
    stamps = [Fraction(0)] + [
        Fraction(i, 30) + Fraction(rng.randint(-3, 3), 1000) for i in range(1, 60)
    ]
    with VideoReader(make_video(stamps=stamps)) as reader:
        assert reader.fps in (30, NTSC)  # 2 s of such stamps do not tell
        assert [frame_number(f) for f in reader.frames()] == list(range(60))


def test_start_and_end(make_video: Make, frame_number: Number) -> None:
    path = make_video(frames=100)
    with VideoReader(path, start=1.0, end=2.5) as reader:
        assert len(reader) == 38  # 37.5, rounded up
        assert [frame_number(f) for f in reader.frames()] == list(range(25, 63))
    with VideoReader(path, start=3.9, end=99) as reader:
        assert [frame_number(f) for f in reader.frames()] == [97, 98, 99]
    for start, end in ((4.0, None), (-1.0, None), (2.0, 1.0)):
        with pytest.raises(InputError, match="start"):
            VideoReader(path, start=start, end=end)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts", "v.avi"])
def test_any_order(make_video: Make, frame_number: Number, name: str) -> None:
    order = [5, 5, 4, 3, 3, 0, 49, 48, 10, 11, 12, 40, 2, 2, 30, 29, 28, 27, 27, 49, 0]
    with VideoReader(make_video(name)) as reader:
        assert [frame_number(f) for f in reader.frames(order)] == order
        assert [frame_number(f) for f in reader.frames(order)] == order
        with pytest.raises(IndexError):
            list(reader.frames([50]))


def test_pictures_far_apart(make_video: Make, frame_number: Number) -> None:
    path = make_video(stamps=[Fraction(20 * i) for i in range(5)], gop=1)
    with VideoReader(path, Fraction(1)) as reader:
        assert [frame_number(f) for f in reader.frames(range(80))] == [i // 20 for i in range(80)]
        assert [frame_number(f) for f in reader.frames([79, 0, 60, 59])] == [3, 0, 3, 2]


def test_endless_ping_pong_with_a_small_buffer(make_video: Make, frame_number: Number) -> None:
    period = [*range(50), *range(48, 0, -1)]
    path = make_video(gop=25)
    with VideoReader(path, buffer_bytes=7 * 128 * 64 * 3 // 2) as reader:
        shown = [
            frame_number(f) for f in itertools.islice(reader.frames(itertools.cycle(period)), 250)
        ]
    assert shown == list(itertools.islice(itertools.cycle(period), 250))


def test_frames_are_fresh_contiguous_rgb(make_video: Make) -> None:
    with VideoReader(make_video(frames=3)) as reader:
        first, again = itertools.islice(reader.frames([0, 0]), 2)
    assert first.dtype == np.uint8 and first.shape == (64, 128, 3) and first.flags.c_contiguous
    again[:] = 0
    assert first.any()


COLOURS = [
    (200, 40, 40),
    (40, 180, 60),
    (50, 60, 200),
    (128, 128, 128),
    (250, 250, 250),
    (8, 8, 8),
    (210, 160, 130),
]


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_colour_matrix_range_and_depth(
    make_video: Make, matrix: int, full: bool, pixel_format: str
) -> None:
    """Frames written with hand-made YUV values come back as the RGB they stand for."""
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    depth = 10 if "10" in pixel_format else 8
    path = make_video("blank.mp4")  # only for its folder
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=25, options={"crf": "1", "preset": "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 64, pixel_format
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        stream.codec_context.color_primaries = 1
        for i, colour in enumerate(COLOURS):
            r, g, b = np.array(colour) / 255
            y = kr * r + (1 - kr - kb) * g + kb * b
            chroma = np.array([(b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)])
            scale = 2 ** (depth - 8)
            if full:
                values = [y * (2**depth - 1), *(chroma * (2**depth - 1) + 128 * scale)]
            else:
                values = [(16 + 219 * y) * scale, *((128 + 224 * chroma) * scale)]
            frame = av.VideoFrame(64, 64, pixel_format)
            frame.colorspace, frame.color_range = matrix, 2 if full else 1
            frame.color_primaries = 1
            for plane, value in zip(frame.planes, values, strict=True):
                kind = np.uint16 if depth > 8 else np.uint8
                count = plane.buffer_size // np.dtype(kind).itemsize
                plane.update(np.full(count, round(value), kind).tobytes())
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoReader(path) as reader:
        seen = [frame[32, 32] for frame in reader.frames()]
    np.testing.assert_allclose(np.array(seen, int), COLOURS, atol=4)


def test_untagged_video_is_bt601_when_small_and_bt709_when_hd(make_video: Make) -> None:
    for size, matrix in (((64, 64), "ITU601"), ((1280, 720), "ITU709")):
        skin = np.full((size[1], size[0], 3), (210, 160, 130), np.uint8)

        def picture(_: int, skin: np.ndarray = skin) -> np.ndarray:
            return skin

        path = make_video(f"{matrix}.mp4", frames=1, picture=picture)
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            assert int(frame.colorspace) == 2  # the fixture leaves the tag out
            expected = frame.to_ndarray(
                format="rgb24", src_colorspace=matrix, src_color_range=1, dst_color_range=2
            )
        with VideoReader(path) as reader:
            np.testing.assert_allclose(
                next(reader.frames())[20, 20].astype(int), expected[20, 20], atol=1
            )


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Overwrite the matrix in the first track header of an MP4 (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 40 if data[at] == 0 else 52
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("matrix", "rotation", "turn"),
    [
        ((1, 0, 0, 1), 0, lambda f: f),
        ((0, 1, -1, 0), 90, lambda f: np.rot90(f, -1)),  # a phone held upright
        ((-1, 0, 0, -1), 180, lambda f: np.rot90(f, 2)),
        ((0, -1, 1, 0), 270, lambda f: np.rot90(f, 1)),
        ((-1, 0, 0, 1), 0, lambda f: f[:, ::-1]),
    ],
)
def test_display_matrix(
    make_video: Make,
    matrix: tuple[int, int, int, int],
    rotation: int,
    turn: Callable[[np.ndarray], np.ndarray],
) -> None:
    path = make_video(frames=3)
    with VideoReader(path) as reader:
        upright = list(reader.frames())
    set_display_matrix(path, matrix)
    info = probe(path).video
    assert info is not None and info.rotation == rotation
    with VideoReader(path) as reader:
        assert (
            (reader.height, reader.width) == turn(upright[0]).shape[:2] == (info.height, info.width)
        )
        for turned, straight in zip(reader.frames(), upright, strict=True):
            assert np.array_equal(turned, turn(straight)) and turned.flags.c_contiguous


def test_odd_size_and_wide_pixels(
    make_video: Make, numbered_frame: Callable[..., np.ndarray]
) -> None:
    path = make_video(
        frames=4, picture=lambda i: numbered_frame(i, 131, 67), pixel_format="yuv444p"
    )
    with VideoReader(path) as reader:
        assert (reader.width, reader.height) == (131, 67)
        assert all(frame.shape == (67, 131, 3) for frame in reader.frames())
    path = make_video("wide.mp4", frames=4, sample_aspect_ratio=Fraction(2, 1))
    with VideoReader(path) as reader:
        assert (reader.width, reader.height) == (256, 64)
        assert next(reader.frames()).shape == (64, 256, 3)


def test_alpha_is_shown_on_white(make_video: Make, tmp_path: Path) -> None:
    path = tmp_path / "alpha.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgba"
        rgba = np.full((32, 32, 4), (200, 0, 0, 255), np.uint8)
        rgba[:, 16:, 3] = 0
        rgba[16:, :16, 3] = 128
        frame = av.VideoFrame.from_ndarray(rgba, "rgba")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoReader(path) as reader:
        (picture,) = reader.frames()
    assert tuple(picture[4, 4]) == (200, 0, 0)
    assert tuple(picture[4, 24]) == (255, 255, 255)
    np.testing.assert_allclose(picture[24, 4].astype(int), (227, 127, 127), atol=2)


def test_truncated_video_gives_what_is_there(make_video: Make, frame_number: Number) -> None:
    path = make_video(frames=100, container_options={"movflags": "+faststart"})
    data = path.read_bytes()
    mdat = data.index(b"mdat")
    path.write_bytes(data[: mdat + (len(data) - mdat) // 2])
    with VideoReader(path) as reader:
        assert reader.info.truncated
        shown = [frame_number(f) for f in reader.frames()]
    assert 20 < len(shown) < 90
    # The cut may reach pictures that wait for a later one.
    assert shown[:-4] == list(range(len(shown) - 4))
    path.write_bytes(data[: mdat + 8])
    with pytest.raises(InputError, match="again"):
        VideoReader(path)


def test_damage_in_the_middle_keeps_the_time(make_video: Make, frame_number: Number) -> None:
    path = make_video(frames=100)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        shown = [frame_number(f) for f in reader.frames()]
    assert len(shown) == 100
    assert shown[:30] == list(range(30)) and shown[-20:] == list(range(80, 100))


def test_closed_reader_refuses(make_video: Make) -> None:
    reader = VideoReader(make_video(frames=10))
    running = reader.frames()
    next(running)
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        next(running)
    with pytest.raises(ValueError, match="closed"):
        next(reader.frames())
