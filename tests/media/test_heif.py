from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, VideoReformatter
from PIL import Image

from swaptalk.errors import InputError
from swaptalk.media.image import image_size, is_image, read_image, read_still
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader


def hevc(picture: np.ndarray, pixel_format: str) -> tuple[bytes, bytes]:
    """One RGB picture as HEVC: its configuration record and its bytes, full range, BT.601."""
    wide = picture.dtype == np.uint16
    frame = VideoReformatter().reformat(
        av.VideoFrame.from_ndarray(picture, format="rgb48le" if wide else "rgb24"),
        format=pixel_format,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
        dst_colorspace=9 if wide else 5,
    )
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        options = {"crf": "4", "preset": "ultrafast", "x265-params": "log-level=none"}
        stream = container.add_stream("libx265", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixel_format
        stream.codec_context.color_range = int(ColorRange.JPEG)
        frame.pts, frame.time_base = 0, Fraction(1)
        for packet in stream.encode(frame) + stream.encode(None):
            packet.dts = packet.pts  # x265 leaves it undefined for a single picture
            container.mux(packet)
    buffer.seek(0)
    with av.open(buffer) as container:
        packet = next(container.demux(video=0))
        return bytes(packet.stream.codec_context.extradata), bytes(packet)


def box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), name) + content


def full(name: bytes, *parts: bytes, version: int = 0) -> bytes:
    return box(name, bytes([version, 0, 0, 0]), *parts)


def heic(
    path: Path,
    tiles: list[np.ndarray],
    *,
    grid: tuple[int, int, int, int] | None = None,
    turn: bytes = b"",
    codes: tuple[int, int, int] = (1, 13, 6),
    pixel_format: str = "yuv444p",
    brand: bytes = b"heic",
) -> Path:
    """Write a HEIC of one picture, or of equal tiles as ``grid`` (rows, columns, width, height).

    Args:
        turn: an ``irot`` or ``imir`` box that applies to the whole.
        codes: primaries, transfer function and matrix (H.273).
    """
    coded = [hevc(tile, pixel_format) for tile in tiles]
    height, width = tiles[0].shape[:2]
    whole = (width, height) if grid is None else grid[2:]
    colour = box(b"colr", b"nclx", struct.pack(">HHHB", *codes, 0x80))
    size = full(b"ispe", struct.pack(">II", width, height))
    properties = [box(b"hvcC", coded[0][0]), size, colour]
    properties += [full(b"ispe", struct.pack(">II", *whole)), turn] if turn or grid else []
    items = [data for _, data in coded]
    kinds = [b"hvc1"] * len(items)
    uses = [[0x81, 2, 3] + ([0x85] if turn and grid is None else []) for _ in items]
    references = b""
    if grid is not None:
        rows, columns = grid[:2]
        items.append(bytes([0, 0, rows - 1, columns - 1]) + struct.pack(">HH", *whole))
        kinds.append(b"grid")
        uses.append([4, 3] + ([0x85] if turn else []))
        numbers = range(1, len(tiles) + 1)
        link = struct.pack(f">HH{len(tiles)}H", len(items), len(tiles), *numbers)
        references = full(b"iref", box(b"dimg", link))
    entries = [
        full(b"infe", struct.pack(">HH4s", number, 0, kind), b"\0", version=2)
        for number, kind in enumerate(kinds, start=1)
    ]
    associations = b"".join(
        struct.pack(">HB", number, len(use)) + bytes(use)
        for number, use in enumerate(uses, start=1)
    )

    def meta(offset: int) -> bytes:
        places = b""
        for number, item in enumerate(items, start=1):
            places += struct.pack(">HHHII", number, 0, 1, offset, len(item))
            offset += len(item)
        return full(
            b"meta",
            full(b"hdlr", b"\0\0\0\0pict", bytes(13)),
            full(b"pitm", struct.pack(">H", len(items))),
            full(b"iloc", b"\x44\0", struct.pack(">H", len(items)), places),
            full(b"iinf", struct.pack(">H", len(entries)), *entries),
            references,
            box(
                b"iprp",
                box(b"ipco", *properties),
                full(b"ipma", struct.pack(">I", len(uses)), associations),
            ),
        )

    head = box(b"ftyp", brand, b"\0\0\0\0", b"mif1", brand)
    start = len(head) + len(meta(0)) + 8
    path.write_bytes(head + meta(start) + box(b"mdat", *items))
    return path


def scene(width: int = 128, height: int = 96) -> np.ndarray:
    """(height, width, 3): a smooth gradient with a red, a green and a blue corner."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack([200 * (1 - x) * (1 - y), 200 * x * (1 - y), 200 * y], axis=-1).astype(np.uint8)


def test_heic_photo(tmp_path: Path) -> None:
    path = heic(tmp_path / "photo.heic", [scene()])
    assert is_image(path) and image_size(path) == (128, 96)
    np.testing.assert_allclose(read_image(path).astype(int), scene(), atol=6)


@pytest.mark.parametrize(
    ("turn", "upright"),
    [
        (box(b"irot", b"\x01"), lambda picture: np.rot90(picture, 1)),
        (box(b"irot", b"\x02"), lambda picture: np.rot90(picture, 2)),
        (box(b"irot", b"\x03"), lambda picture: np.rot90(picture, 3)),
        (box(b"imir", b"\x01"), lambda picture: picture[:, ::-1]),
    ],
)
@pytest.mark.parametrize("tiled", [False, True])
def test_heic_is_turned_upright(
    tmp_path: Path, turn: bytes, upright: Callable[[np.ndarray], np.ndarray], tiled: bool
) -> None:
    """Phones write tiles and say with a property how to turn the whole of them."""
    if tiled:
        tiles = [scene(128, 128)[y : y + 64, x : x + 64] for y in (0, 64) for x in (0, 64)]
        tiles = [np.ascontiguousarray(tile) for tile in tiles]
        path = heic(tmp_path / "photo.heic", tiles, grid=(2, 2, 120, 100), turn=turn)
        wanted = upright(scene(128, 128)[:100, :120])
    else:
        path = heic(tmp_path / "photo.heic", [scene()], turn=turn)
        wanted = upright(scene())
    assert image_size(path) == (wanted.shape[1], wanted.shape[0])
    np.testing.assert_allclose(read_image(path).astype(int), wanted, atol=8)


def hdr(sdr: np.ndarray) -> np.ndarray:
    """PQ in BT.2020 with SDR's white at 203 nits, uint16."""
    matrix = [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    power = ((sdr / 255.0) ** 2.4 @ np.array(matrix).T * 203 / 10000) ** 0.1593017578125
    coded = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return np.round(coded * 65535).astype(np.uint16)


def test_hdr_heic_is_tone_mapped(tmp_path: Path) -> None:
    path = heic(
        tmp_path / "photo.heic", [hdr(scene())], codes=(9, 16, 9), pixel_format="yuv444p10le"
    )
    still = read_still(path)
    error = still.picture.astype(float) - scene()
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 35
    assert still.colour == "HDR (PQ)"


def avif(path: Path, coded: np.ndarray, codes: tuple[int, int, int]) -> Path:
    frame = VideoReformatter().reformat(
        av.VideoFrame.from_ndarray(coded, format="rgb48le"),
        format="yuv420p10le",
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        dst_colorspace=codes[2],
    )
    with av.open(str(path), "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", rate=1, options={"crf": "5", "preset": "8"})
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = codes
        context.color_range = int(ColorRange.MPEG)
        frame.pts, frame.time_base = 0, Fraction(1)
        frame.color_primaries, frame.color_trc = codes[:2]
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", ["HDR", "SDR"])
def test_avif_photo(tmp_path: Path, kind: str) -> None:
    sdr = scene().astype(np.uint16) * 257
    coded, codes = (hdr(scene()), (9, 16, 9)) if kind == "HDR" else (sdr, (1, 13, 1))
    path = avif(tmp_path / "photo.avif", coded, codes)
    assert is_image(path)
    still = read_still(path)
    error = still.picture.astype(float) - scene()
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 34
    assert still.colour == ("HDR (PQ)" if kind == "HDR" else None)


def test_heif_sequence_is_video(tmp_path: Path) -> None:
    """Bursts and cinemagraphs: a movie under the brand of a HEIF sequence."""
    movie = tmp_path / "burst.mp4"
    with av.open(str(movie), "w") as container:
        options = {"crf": "10", "preset": "ultrafast", "x265-params": "log-level=none"}
        stream = container.add_stream("libx265", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(
                np.full((96, 128, 3), 40 * number + 20, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = movie.read_bytes()
    path = tmp_path / "burst.heics"
    path.write_bytes(data[:8] + b"msf1" + data[12:])
    assert not is_image(path)
    info = probe(path).video
    assert info is not None and info.average_fps == 10
    with VideoReader(path) as reader:
        levels = [float(frame.mean()) for frame in reader.frames()]
    np.testing.assert_allclose(levels, [20, 60, 100, 140, 180], atol=4)


def test_heic_that_cannot_be_read_is_refused_as_heic(tmp_path: Path) -> None:
    """Not taken for a video of one frame a second."""
    path = heic(tmp_path / "photo.heic", [scene()])
    data = bytearray(path.read_bytes())
    at = data.index(b"ispe") - 4
    data[at : at + 200] = b"\xff" * 200
    path.write_bytes(data)
    with pytest.raises(InputError, match="HEIC photo that cannot be read"):
        is_image(path)


def test_mutated_heics_are_read_or_refused(tmp_path: Path) -> None:
    """libheif meets hostile bytes in the decoding process only, and every answer is a picture or
    one error.
    """
    tiles = [np.ascontiguousarray(scene(128, 64)[:, x : x + 64]) for x in (0, 64)]
    path = heic(tmp_path / "photo.heic", tiles, grid=(1, 2, 128, 64), turn=box(b"irot", b"\x01"))
    good, rng = path.read_bytes(), np.random.default_rng(0)
    head = good.index(b"mdat")
    read = refused = 0
    for _ in range(60):
        data = bytearray(good)
        for place in rng.integers(8, head if rng.random() < 0.7 else len(good), 4):
            data[place] = rng.integers(0, 256)
        path.write_bytes(data[: len(data) if rng.random() < 0.8 else rng.integers(20, len(data))])
        try:
            if is_image(path):
                assert read_image(path).ndim == 3
            read += 1
        except InputError:
            refused += 1
    assert read > 5 and refused > 5


def test_pillow_reads_what_was_written(tmp_path: Path) -> None:
    """The files of these tests are HEIC to others, too: FFmpeg finds the same picture."""
    path = heic(tmp_path / "photo.heic", [scene()])
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (128, 96)
    with pytest.raises(OSError):
        Image.open(path, formats=["AVIF", "JPEG"])
