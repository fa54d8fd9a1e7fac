"""Written video: frame count, colour tags, odd sizes, codecs, atomic appearance, bad arguments."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter, available_codecs

NTSC = Fraction(30000, 1001)
Frame = Callable[..., np.ndarray]
Number = Callable[[np.ndarray], int]


@pytest.mark.parametrize("fps", [25, NTSC, 30, 50, Fraction(24000, 1001)])
@pytest.mark.parametrize("frames", [1, 2, 63])
def test_round_trip(
    tmp_path: Path, numbered_frame: Frame, frame_number: Number, fps: Fraction, frames: int
) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 128, 64, fps) as writer:
        for i in range(frames):
            writer.write(numbered_frame(i))
    assert sorted(tmp_path.iterdir()) == [path]
    with VideoReader(path) as reader:
        assert (reader.fps, len(reader)) == (fps, frames)
        assert [frame_number(f) for f in reader.frames()] == list(range(frames))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.frames == frames and stream.duration is not None
        assert stream.time_base is not None
        assert abs(stream.duration * stream.time_base - frames / Fraction(fps)) < Fraction(1, 10000)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_hevc_of_few_frames(
    tmp_path: Path, numbered_frame: Frame, frame_number: Number, frames: int
) -> None:
    """The last chunk of a job may be that short; x265 gave such packets random times."""
    for attempt in range(6):
        path = tmp_path / f"{attempt}.mp4"
        with VideoWriter(path, 128, 64, 25, codec="hevc") as writer:
            for i in range(frames):
                writer.write(numbered_frame(i))
        with VideoReader(path) as reader:
            assert [frame_number(f) for f in reader.frames()] == list(range(frames))


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_codecs(tmp_path: Path, numbered_frame: Frame, frame_number: Number, codec: str) -> None:
    if codec not in available_codecs():
        pytest.skip(f"this PyAV carries no {codec} encoder")
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 128, 64, 25, codec=codec, quality="medium", threads=1) as writer:
        for i in range(30):
            writer.write(numbered_frame(i))
    with VideoReader(path, threads=1) as reader:
        assert [frame_number(f) for f in reader.frames()] == list(range(30))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.pix_fmt == "yuv420p"
        assert (
            stream.colorspace,
            stream.color_range,
            stream.color_primaries,
            stream.color_trc,
        ) == (1, 1, 1, 1)
        if codec == "hevc":
            assert stream.codec_context.codec_tag == "hvc1"


def test_colours_survive(tmp_path: Path) -> None:
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
        (210, 160, 130),
        (128, 128, 128),
    ]
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 64, 25, quality="best") as writer:
        for colour in colours:
            writer.write(np.full((64, 64, 3), colour, np.uint8))
    with VideoReader(path) as reader:
        seen = np.array([frame[32, 32] for frame in reader.frames()], int)
    np.testing.assert_allclose(seen, colours, atol=4)


def test_odd_size_grows_by_one_repeated_pixel(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 131).astype(np.uint8)[None, :, None], (67, 131, 3))
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 131, 67, 25, quality="best") as writer:
        writer.write(ramp)
    with VideoReader(path) as reader:
        picture = next(reader.frames()).astype(int)
    assert picture.shape == (68, 132, 3)
    np.testing.assert_allclose(picture[:67, :131], ramp, atol=8)
    np.testing.assert_allclose(picture[:, 131], picture[:, 130], atol=4)


def test_index_is_in_front_and_title_is_kept(tmp_path: Path, numbered_frame: Frame) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(
        path, 128, 64, 25, metadata={"title": "A talk", "comment": "made by SwapTalk"}
    ) as writer:
        writer.write(numbered_frame(1))
    data = path.read_bytes()
    assert struct.unpack(">I", data[:4])[0] < 64 and data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        assert (
            container.metadata["title"] == "A talk"
            and container.metadata["comment"] == "made by SwapTalk"
        )


def test_quality_orders_size(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (5, 64, 128, 3), dtype=np.uint8)
    sizes = []
    for quality in ("low", "medium", "high", "best", 5):
        path = tmp_path / f"{quality}.mp4"
        with VideoWriter(path, 128, 64, 25, quality=quality) as writer:
            for frame in noise:
                writer.write(frame)
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes)


def test_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, numbered_frame: Frame) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), VideoWriter(path, 128, 64, 25) as writer:
        writer.write(numbered_frame(0))
        raise RuntimeError
    with pytest.raises(ValueError, match="expected"), VideoWriter(path, 128, 64, 25) as writer:
        writer.write(np.zeros((64, 127, 3), np.uint8))
    with pytest.raises(SwapTalkError, match="no picture"), VideoWriter(path, 128, 64, 25):
        pass
    assert sorted(tmp_path.iterdir()) == [path] and path.read_bytes() == b"old"


def test_bad_arguments(tmp_path: Path) -> None:
    for options in (
        {"codec": "mpeg1"},
        {"quality": "superb"},
        {"quality": 99},
        {"quality": float("nan")},
    ):
        with pytest.raises(InputError) as caught:
            VideoWriter(tmp_path / "out.mp4", 64, 64, 25, **options)
        assert "\n" not in str(caught.value)
    for width, height, fps in ((0, 64, 25), (64, 64, 0)):
        with pytest.raises(InputError):
            VideoWriter(tmp_path / "out.mp4", width, height, fps)
    with pytest.raises(InputError, match="cannot be written"):
        VideoWriter(tmp_path / "missing" / "out.mp4", 64, 64, 25)
    with pytest.raises(InputError, match="folder"):
        VideoWriter(tmp_path, 64, 64, 25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_is_one_line(tmp_path: Path, numbered_frame: Frame) -> None:
    path = tmp_path / "out.mp4"
    (tmp_path / "out.mp4.part").symlink_to("/dev/full")
    with (
        pytest.raises(InputError, match="disk is full"),
        VideoWriter(path, 128, 64, 25, quality=0) as writer,
    ):
        rng = np.random.default_rng(0)
        for _ in range(60):
            writer.write(rng.integers(0, 255, (64, 128, 3), dtype=np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_no_encoder_leaves_real_time_threads(tmp_path: Path) -> None:
    if not hasattr(os, "sched_getscheduler") or "av1" not in available_codecs():
        pytest.skip("threads have no scheduling policies here, or there is no AV1 encoder")
    with VideoWriter(tmp_path / "out.mp4", 64, 64, 25, codec="av1") as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
        tasks = [int(task.name) for task in Path("/proc/self/task").iterdir()]
        policies = {os.sched_getscheduler(task) for task in tasks}
    assert policies == {os.SCHED_OTHER}
