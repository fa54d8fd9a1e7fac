"""The finished file: exact frames, sound that ends with them, and sound on time within 10 ms."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.audio import read_audio
from swaptalk.media.mux import AudioSource, mux
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter, available_codecs

NTSC = Fraction(30000, 1001)
RATE = 48000
Make = Callable[..., Path]
Frame = Callable[..., np.ndarray]
Number = Callable[[np.ndarray], int]


def write_segments(
    folder: Path,
    counts: list[int],
    fps: Fraction | int,
    picture: Callable[[int], np.ndarray],
    codec: str = "h264",
) -> list[Path]:
    paths, number = [], 0
    for k, count in enumerate(counts):
        paths.append(folder / f"{k:04d}.mp4")
        with VideoWriter(paths[-1], 128, 64, fps, codec=codec, threads=1) as writer:
            for _ in range(count):
                writer.write(picture(number))
                number += 1
    return paths


@pytest.mark.parametrize("fps", [25, NTSC, 30, 50])
@pytest.mark.parametrize("sound_seconds", [0.7, 2.2, 5.0])
def test_exact_frames_and_sound_ends_with_them(
    tmp_path: Path,
    make_sound: Make,
    numbered_frame: Frame,
    frame_number: Number,
    fps: Fraction,
    sound_seconds: float,
) -> None:
    segments = write_segments(tmp_path, [30, 1, 22], fps, numbered_frame)
    sound = make_sound("s.wav", np.full(round(sound_seconds * RATE), 0.25))
    out = tmp_path / "out.mp4"
    assert mux(segments, AudioSource(sound), out, fps, {"title": "t"}, frames=53) == 53
    with VideoReader(out) as reader:
        assert (len(reader), reader.fps) == (53, fps)
        assert [frame_number(f) for f in reader.frames()] == list(range(53))
    wave = read_audio(out, RATE)
    assert len(wave) == round(53 / Fraction(fps) * RATE)
    info = probe(out)
    assert info.video is not None and info.audio is not None
    assert abs(info.video.duration - info.audio.duration) < 1 / float(fps)
    heard = min(len(wave), round(sound_seconds * RATE))
    assert np.abs(wave[2000 : heard - 2000] - 0.25).max() < 0.05
    assert np.abs(wave[heard + 2000 :]).max(initial=0) < 0.01
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("fps", [25, NTSC, 50])
@pytest.mark.parametrize("name", ["s.wav", "s.m4a"])
def test_flash_and_click_coincide(
    tmp_path: Path, make_sound: Make, fps: Fraction, name: str
) -> None:
    """A flash every half second or so, a click at the very moment: read back, they are < 10 ms
    apart."""
    fps = Fraction(fps)
    flashes = [round(k * fps / 2) for k in range(1, 6)]

    def picture(i: int) -> np.ndarray:
        return np.full((64, 128, 3), 240 if i in flashes else 16, np.uint8)

    wave = np.zeros(RATE * 3, np.float32)
    for flash in flashes:
        at = round(flash / fps * RATE)
        wave[at : at + 200] = 0.8 * np.sin(np.arange(200) * 0.4)
    sound = make_sound(name, wave, codec="aac" if name.endswith("m4a") else "pcm_f32le")
    count = round(3 * fps)
    segments = write_segments(tmp_path, [count // 2, count - count // 2], fps, picture)
    mux(segments, AudioSource(sound), tmp_path / "out.mp4", fps)
    with VideoReader(tmp_path / "out.mp4") as reader:
        seen = [i for i, frame in enumerate(reader.frames()) if frame.mean() > 128]
    assert seen == flashes
    heard = read_audio(tmp_path / "out.mp4", RATE)
    loud = np.flatnonzero(np.abs(heard) > 0.25)
    clicks = [
        int(n) for n, before in zip(loud, [-RATE, *loud], strict=False) if n - before > RATE // 10
    ]
    assert len(clicks) == len(flashes)
    offsets = [
        click / RATE - float(flash / fps) for click, flash in zip(clicks, flashes, strict=True)
    ]
    assert np.abs(offsets).max() < 0.003  # far below the 10 ms that matter


def test_sound_from_a_part_of_a_video_and_silent_output(
    tmp_path: Path, make_video: Make, numbered_frame: Frame
) -> None:
    segments = write_segments(tmp_path, [25], 25, numbered_frame)
    ramp = np.repeat([0.1, 0.3, 0.5, 0.7], RATE // 2)
    source = make_video("source.mp4", frames=50, sound=ramp)
    mux(segments, AudioSource(source, start=0.5, end=1.25), tmp_path / "out.mp4", 25)
    wave = read_audio(tmp_path / "out.mp4", RATE)
    levels = [wave[round(t * RATE)] for t in (0.25, 0.65, 0.9)]
    np.testing.assert_allclose(levels, [0.3, 0.5, 0.0], atol=0.08)  # AAC twice
    assert mux(segments, None, tmp_path / "silent.mp4", 25) == 25
    assert probe(tmp_path / "silent.mp4").audio is None


def test_stereo_stays_stereo(tmp_path: Path, make_sound: Make, numbered_frame: Frame) -> None:
    segments = write_segments(tmp_path, [10], 25, numbered_frame)
    sound = make_sound("s.wav", np.stack([np.full(RATE, 0.5), np.zeros(RATE)], axis=1))
    mux(segments, AudioSource(sound), tmp_path / "out.mp4", 25)
    audio = probe(tmp_path / "out.mp4").audio
    assert audio is not None and (audio.channels, audio.sample_rate, audio.codec) == (
        2,
        RATE,
        "aac",
    )


@pytest.mark.parametrize("codec", ["hevc", "vp9", "av1"])
def test_other_codecs_join(
    tmp_path: Path, make_sound: Make, numbered_frame: Frame, frame_number: Number, codec: str
) -> None:
    if codec not in available_codecs():
        pytest.skip(f"this PyAV carries no {codec} encoder")
    segments = write_segments(tmp_path, [12, 13], 25, numbered_frame, codec)
    mux(segments, AudioSource(make_sound("s.wav", np.zeros(RATE))), tmp_path / "out.mp4", 25)
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert [frame_number(f) for f in reader.frames()] == list(range(25))
        assert reader.info.codec in (codec, "libdav1d")
    with av.open(str(tmp_path / "out.mp4")) as container:
        if codec == "hevc":
            assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_what_does_not_fit_is_refused_and_nothing_is_left(
    tmp_path: Path, make_sound: Make, numbered_frame: Frame
) -> None:
    out = tmp_path / "out.mp4"
    segments = write_segments(tmp_path, [5, 5], 25, numbered_frame)
    with pytest.raises(SwapTalkError, match="10 frames instead of 11"):
        mux(segments, None, out, 25, frames=11)
    with pytest.raises(SwapTalkError, match="no video segments"):
        mux([], None, out, 25)
    with pytest.raises(InputError, match="one of the inputs"):
        mux(segments, None, segments[0], 25)
    with pytest.raises(InputError, match="no sound"):
        mux(segments, AudioSource(segments[0]), out, 25)
    nan = np.zeros(RATE)
    nan[3000] = np.nan
    with pytest.raises(InputError, match="NaN"):
        mux(segments, AudioSource(make_sound("nan.wav", nan)), out, 25)
    other = tmp_path / "other.mp4"
    with VideoWriter(other, 64, 64, 25) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(SwapTalkError, match="otherwise"):
        mux([*segments, other], None, out, 25)
    assert not out.exists() and not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_is_one_line(tmp_path: Path, make_sound: Make) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (25, 64, 128, 3), dtype=np.uint8)
    segments = write_segments(tmp_path, [25], 25, lambda i: noise[i])
    sound = make_sound("s.wav", rng.normal(0, 0.1, RATE))
    (tmp_path / "out.mp4.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match="disk is full"):
        mux(segments, AudioSource(sound), tmp_path / "out.mp4", 25)
    assert not list(tmp_path.glob("out*"))
