from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.probe import probe


def golomb(value: int) -> str:
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def metadata_unit() -> bytes:
    """A NAL unit of type 62 with the smallest metadata that a decoder takes: 10 bits, no display
    management, every channel mapped by a line.
    """
    header = f"{2:06b}{0x12:011b}" + f"{0:04b}{0:04b}" + "1" + "0" + "00" + golomb(23) + "01" + "1"
    depths = golomb(2) + golomb(2) + golomb(4) + "0" + "000" + "0" + "1"
    pivots = "".join(golomb(0) + f"{0:010b}{1023:010b}" for _ in range(3))
    line = golomb(0) + golomb(0) + "0" + ("1" + "0" * 23) * 2
    mapping = "0" + "0" + golomb(0) * 3 + pivots + golomb(0) * 2 + line * 3
    bits = header + depths + mapping
    bits += "0" * (-len(bits) % 8)
    payload = int(bits, 2).to_bytes(len(bits) // 8, "big") + b"\x12\x34\x56\x78\x80"
    safe = bytearray(b"\x19")
    for byte in payload:  # two zeros and a small byte would be taken for a new unit
        if safe[-2:] == b"\0\0" and byte <= 3:
            safe.append(3)
        safe.append(byte)
    return b"\0\0\0\x01\x7c\x01" + bytes(safe)


METADATA = metadata_unit()
PQ = 16


def dolby_vision(path: Path, transfer: int | None, metadata: bytes, tag: str) -> Path:
    """Ten frames of HEVC; ``transfer`` None: without tags of colour, as in profile 5."""
    colours = "" if transfer is None else f":transfer={transfer}:colorprim=9:colormatrix=9"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx265",
            rate=25,
            options={"preset": "ultrafast", "x265-params": f"log-level=none:bframes=0{colours}"},
        )
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p10le"
        stream.codec_context.codec_tag = tag
        picture = np.random.default_rng(0).integers(0, 255, (64, 128, 3)).astype(np.uint8)
        frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for _ in range(10)]
        for packet in (packet for one in (*frames, None) for packet in stream.encode(one)):
            changed = av.Packet(bytes(packet) + metadata)
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.stream, changed.is_keyframe = stream, packet.is_keyframe
            container.mux(changed)
    return path


@pytest.mark.parametrize(
    ("name", "metadata", "tag"),
    [("a.mp4", METADATA, "hvc1"), ("a.mp4", b"", "dvh1"), ("a.mkv", METADATA, "hvc1")],
)
def test_pictures_that_only_dolby_vision_shows_are_refused(
    tmp_path: Path, name: str, metadata: bytes, tag: str
) -> None:
    path = dolby_vision(tmp_path / name, None, metadata, tag)
    with pytest.raises(InputError, match="Dolby Vision") as raised:
        probe(path)
    assert "HDR10" in raised.value.remedy


def test_dolby_vision_over_an_hdr_picture_is_that_picture(tmp_path: Path) -> None:
    found = probe(dolby_vision(tmp_path / "a.mp4", PQ, METADATA, "dvh1")).video
    assert found is not None and found.colour == "HDR (PQ)"


def test_video_without_tags_is_no_dolby_vision(tmp_path: Path) -> None:
    found = probe(dolby_vision(tmp_path / "a.mp4", None, b"", "hvc1")).video
    assert found is not None and found.colour is None
