"""What a file holds, and one clear line about every file that holds nothing usable."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.audio import read_audio
from swaptalk.media.image import write_image
from swaptalk.media.limits import MAX_STREAMS
from swaptalk.media.probe import probe
from swaptalk.media.timeline import read_timeline
from swaptalk.media.video_reader import VideoReader

Make = Callable[..., Path]


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts"])
def test_video_with_sound(make_video: Make, name: str) -> None:
    info = probe(make_video(name, fps=30, frames=45, sound=np.zeros(72000)))
    assert info.video is not None and info.audio is not None
    assert (info.video.width, info.video.height, info.video.average_fps) == (128, 64, 30)
    assert info.video.frame_count_estimate == 45 and info.video.codec == "h264"
    assert info.video.duration == pytest.approx(1.5, abs=0.001)
    assert (info.audio.sample_rate, info.audio.channels, info.audio.codec) == (48000, 1, "aac")
    assert info.audio.duration == pytest.approx(1.5, abs=0.001 if name == "v.mp4" else 0.03)
    assert info.duration == pytest.approx(1.5, abs=0.03)
    assert not info.video.variable_rate and not info.video.truncated and info.video.rotation == 0


def test_sound_file(make_sound: Make) -> None:
    info = probe(make_sound("a.wav", np.zeros((22050, 2)), rate=44100))
    assert info.video is None and info.audio is not None
    assert info.duration == info.audio.duration == 0.5


def test_cover_art_is_no_video(make_sound: Make, tmp_path: Path) -> None:
    source = make_sound("a.flac", np.zeros(48000), codec="flac")
    path = tmp_path / "cover.mp3"
    with av.open(str(source)) as sound, av.open(str(path), "w") as container:
        out = container.add_stream("libmp3lame", rate=48000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24").reformat(
            format="yuvj420p"
        )
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))
        for frame in sound.decode(audio=0):
            container.mux(out.encode(frame))
        container.mux(out.encode(None))
    info = probe(path)
    assert info.video is None and info.audio is not None


def test_sound_longer_than_pictures_is_not_truncation(make_video: Make) -> None:
    for name in ("v.mp4", "v.mkv"):
        info = probe(make_video(name, frames=25, sound=np.zeros(48000 * 5)))
        assert info.video is not None and not info.video.truncated
        assert info.video.duration == pytest.approx(
            1.0, abs=0.001
        ) and info.duration == pytest.approx(5.0, abs=0.03)


def test_a_twelve_hour_video_is_probed_at_once(tmp_path: Path, make_video: Make) -> None:
    """Packets of one short clip written over and over: 12 hours, never encoded, never decoded."""
    clip = make_video("clip.mp4", frames=12, video_options={"bf": "0"})
    path = tmp_path / "long.mp4"
    with av.open(str(clip)) as source, av.open(str(path), "w") as container:
        template = source.streams.video[0]
        out = container.add_stream_from_template(template, opaque=True)
        out.time_base = Fraction(1, 25)
        packets = [bytes(p) for p in source.demux(template) if p.size]
        # A key frame every 12 frames at 1 frame a second: 43,200 packets stand for 12 hours.
        for i in range(12 * 3600):
            packet = av.Packet(packets[i % 12])
            packet.stream, packet.time_base = out, Fraction(1, 25)
            packet.pts = packet.dts = 25 * i
            packet.duration, packet.is_keyframe = 25, i % 12 == 0
            container.mux(packet)
    begin = time.process_time()
    info = probe(path)
    assert time.process_time() - begin < 1.0
    assert info.video is not None and info.duration == 12 * 3600
    assert info.video.average_fps == 1 and info.video.frame_count_estimate == 12 * 3600


HOSTILE = {
    "empty.mp4": b"",
    "text.mp4": b"These are words, not a film.\n" * 30,
    "zeros.mp4": bytes(5000),
    "random.mkv": np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes(),
    "list.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n",
    "list.m3u8": b"\xef\xbb\xbf#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n",
    "concat.mp4": b"ffconcat version 1.0\nfile other.mp4\n",
    "call.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 "
    b"RTP/AVP 96\n",
    "dash.mpd": b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    "header.mp4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(100),
    "header.wav": b"RIFF\x24\0\0\0WAVEfmt ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    with pytest.raises(InputError) as caught:
        probe(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and "; " in message


def test_names_that_look_like_protocols(
    tmp_path: Path, make_video: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video("concat:a|b%03d.mp4", frames=5)
    monkeypatch.chdir(tmp_path)
    assert probe(path.name).video is not None
    for name in ("http://127.0.0.1:9/x.mp4", "pipe:0", "data:video/mp4;base64,AAAA", "nothing.mp4"):
        with pytest.raises(InputError, match="no such file"):
            probe(name)
    with pytest.raises(InputError, match="not a file"):
        probe(tmp_path)


def test_truncated_without_an_index(make_video: Make) -> None:
    path = make_video(frames=50)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 20])
    with pytest.raises(InputError, match="truncated or damaged.*again"):
        probe(path)


def test_sound_of_unknown_codec_is_no_sound(make_video: Make) -> None:
    path = make_video("v.mkv", frames=10, sound=np.zeros(19200))
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    info = probe(path)
    assert info.video is not None and info.audio is None


def test_random_damage_never_escapes(make_video: Make) -> None:
    """Files with flipped bytes are read or refused in one line, nothing else."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 24000)
    for name in ("v.mp4", "v.mkv", "v.ts", "v.avi"):
        path = make_video(name, frames=12, sound=sound)
        good = path.read_bytes()
        for _ in range(6):
            data = np.frombuffer(good, np.uint8).copy()
            data[rng.integers(0, min(1500, len(data)), 8)] = rng.integers(0, 256, 8)
            path.write_bytes(data.tobytes())
            for read in (probe, read_audio, lambda p: next(VideoReader(p).frames())):
                try:
                    read(path)
                except InputError as error:
                    assert "\n" not in str(error)


def test_still_image_is_sent_elsewhere(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", np.zeros((8, 8, 3), np.uint8))
    write_image(tmp_path / "photo.jpg", np.zeros((8, 8, 3), np.uint8))
    for name in ("photo.png", "photo.jpg"):
        with pytest.raises(InputError):
            probe(tmp_path / name)


def test_mp4_without_frames(tmp_path: Path, make_video: Make) -> None:
    path = make_video(frames=5)
    data = bytearray(path.read_bytes())
    for box in (b"stts", b"stsz", b"stsc", b"stco", b"stss", b"ctts"):
        at = data.find(box)
        if at > 0:
            count = at + 8 + (4 if box == b"stsz" else 0)
            data[count : count + 4] = struct.pack(">I", 0)
    path.write_bytes(data)
    with pytest.raises(InputError):
        probe(path)


def test_too_many_streams(tmp_path: Path) -> None:
    path = tmp_path / "many.mka"
    with av.open(str(path), "w") as container:
        for _ in range(MAX_STREAMS + 1):
            container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        for stream in container.streams:
            container.mux(stream.encode(frame))  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="streams"):
        probe(path)


def test_too_large_pictures_are_refused_before_decoding(make_video: Make) -> None:
    path = make_video("big.mkv", frames=1, encoder="mjpeg", pixel_format="yuvj420p")
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xc0")  # the JPEG's own size, which the decoder believes
    data[start + 5 : start + 9] = struct.pack(">HH", 16000, 16000)
    path.write_bytes(data)
    begin = time.process_time()
    with pytest.raises(InputError, match="too large|decoded"):
        probe(path)
    assert time.process_time() - begin < 1.0


def test_timeline_origin(make_video: Make) -> None:
    late = [Fraction(i, 25) + Fraction(1, 2) for i in range(10)]
    assert read_timeline(make_video("a.mp4", stamps=late)).origin == Fraction(1, 2)
    assert read_timeline(make_video("b.mp4", stamps=late, sound=np.zeros(24000))).origin == 0
    slightly = [Fraction(i, 25) + Fraction(1, 20) for i in range(10)]
    assert read_timeline(
        make_video("c.mp4", stamps=slightly, sound=np.zeros(24000))
    ).origin == Fraction(1, 20)
