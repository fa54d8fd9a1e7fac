from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader

TICK = Fraction(1, 25)


def cut_out(number: int) -> np.ndarray:
    """(64, 96, 4) RGBA: an orange square that moves over a transparent, black background; its left
    half is half transparent.
    """
    picture = np.zeros((64, 96, 4), np.uint8)
    left = 16 + 4 * number
    picture[16:48, left : left + 32] = (200, 120, 40, 255)
    picture[16:48, left : left + 16, 3] = 128
    return picture


def mov(path: Path, codec: str, pixel_format: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixel_format
        if codec.startswith("prores"):
            stream.codec_context.options = {"profile": "4444"}
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(cut_out(number), format="rgba")
            frame.pts, frame.time_base = number, TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("prores.mov", "prores_ks", "yuva444p10le"),
        ("animation.mov", "qtrle", "argb"),
        ("portable.mov", "png", "rgba"),
        ("lossless.mkv", "ffv1", "yuva420p"),
        ("animated.apng", "apng", "rgba"),
    ],
)
def test_transparent_parts_show_white(
    tmp_path: Path, name: str, codec: str, pixel_format: str
) -> None:
    """Whole, half and no alpha give the background, the mean of both, and the colour itself."""
    path = mov(tmp_path / name, codec, pixel_format)
    info = probe(path).video
    assert info is not None and info.transparent
    with VideoReader(path) as reader:
        frames = list(reader.frames())
    assert len(frames) == 6
    for number, frame in enumerate(frames):
        left = 16 + 4 * number
        np.testing.assert_allclose(frame[8, 8], 255, atol=1)
        np.testing.assert_allclose(frame[32, left + 24], (200, 120, 40), atol=6)
        np.testing.assert_allclose(frame[32, left + 8], (227, 187, 147), atol=6)


def test_opaque_pictures_with_an_alpha_channel_are_not_called_transparent(tmp_path: Path) -> None:
    path = tmp_path / "opaque.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgba"
        picture = np.full((64, 96, 4), 255, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
        container.mux(stream.encode(None))
    info = probe(path).video
    assert info is not None and info.pixel_format == "rgba" and not info.transparent


def element(identifier: str, payload: bytes) -> bytes:
    """An EBML element with a length of eight bytes."""
    return bytes.fromhex(identifier) + (len(payload) | 1 << 56).to_bytes(8, "big") + payload


def number(identifier: str, value: int) -> bytes:
    return element(identifier, value.to_bytes(4, "big"))


def vp9(frames: list[av.VideoFrame]) -> list[bytes]:
    """Packets of 96x64 yuv420p frames, the first one a key frame."""
    context = av.CodecContext.create("libvpx-vp9", "w")
    context.width, context.height, context.pix_fmt = 96, 64, "yuv420p"
    context.time_base, context.framerate = TICK, Fraction(25)
    context.options = {"crf": "10", "b": "0", "lag-in-frames": "0", "auto-alt-ref": "0"}
    packets = []
    for index, frame in enumerate(frames):
        frame.pts, frame.time_base = index, TICK
        packets += context.encode(frame)
    return [bytes(packet) for packet in [*packets, *context.encode(None)]]


def webm_with_alpha(path: Path) -> Path:
    """VP9 with the alpha plane as a second VP9 picture beside each block, as browsers write it."""
    pictures = [cut_out(number) for number in range(6)]
    colours = [
        av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[..., :3]), format="rgb24")
        for picture in pictures
    ]
    # Alpha from 0 to 255 is the second picture's luma as it is, with any chroma.
    alphas = [
        av.VideoFrame.from_ndarray(
            np.concatenate([picture[..., 3], np.full((32, 96), 128, np.uint8)]), format="yuv420p"
        )
        for picture in pictures
    ]
    coded = zip(vp9([one.reformat(format="yuv420p") for one in colours]), vp9(alphas), strict=True)
    groups = b""
    for index, (colour, alpha) in enumerate(coded):
        block = b"\x81" + (40 * index).to_bytes(2, "big") + b"\x00" + colour
        more = element("a6", number("ee", 1) + element("a5", alpha))
        reference = b"" if index == 0 else element("fb", (-40).to_bytes(2, "big", signed=True))
        groups += element("a0", element("a1", block) + reference + element("75a1", more))
    video = element("e0", number("b0", 96) + number("ba", 64) + number("53c0", 1))
    track = number("d7", 1) + number("73c5", 1) + number("83", 1) + element("86", b"V_VP9") + video
    track += number("23e383", 40_000_000) + number("55ee", 1)
    body = element("1549a966", number("2ad7b1", 1_000_000))
    body += element("1654ae6b", element("ae", track))
    body += element("1f43b675", number("e7", 0) + groups)
    header = number("4286", 1) + number("42f7", 1) + number("42f2", 4) + number("42f3", 8)
    header += element("4282", b"webm") + number("4287", 4) + number("4285", 2)
    path.write_bytes(element("1a45dfa3", header) + element("18538067", body))
    return path


def test_alpha_of_webm_is_read(tmp_path: Path) -> None:
    """FFmpeg's own VP9 decoder leaves it out and shows black; also after seeking back."""
    path = webm_with_alpha(tmp_path / "alpha.webm")
    info = probe(path).video
    assert info is not None and info.transparent and info.pixel_format == "yuva420p"
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        assert len(frames) == 6
        for index, frame in enumerate(frames):
            left = 16 + 4 * index
            np.testing.assert_allclose(frame[8, 8], 255, atol=4)
            np.testing.assert_allclose(frame[32, left + 24].astype(int), frame[24, left + 24], 8)
            assert frame[32, left + 24, 0] > 150 > frame[32, left + 24, 2]
        for index, frame in zip((5, 0, 3), reader.frames([5, 0, 3]), strict=True):
            np.testing.assert_array_equal(frame, frames[index])
