"""Images in and out: formats, turn, alpha, depth, colour profile, hostile files."""

from __future__ import annotations

import os
import signal
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from swaptalk.errors import InputError
from swaptalk.media.image import image_size, is_image, read_image, write_image
from swaptalk.media.sandbox.decoder import DecoderProcess

RAMP = np.stack(np.meshgrid(np.arange(0, 240, 5), np.arange(0, 160, 5)), axis=-1)
PICTURE = np.concatenate([RAMP, np.full((*RAMP.shape[:2], 1), 90)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("a.png", 0), ("a.bmp", 0), ("a.jpg", 8), ("a.JPEG", 8), ("a.webp", 20)]
)
def test_round_trip(tmp_path: Path, name: str, tolerance: int) -> None:
    path = tmp_path / name
    write_image(path, PICTURE)
    assert list(tmp_path.iterdir()) == [path]
    assert is_image(path)
    back = read_image(path)
    assert back.dtype == np.uint8 and back.flags.c_contiguous and back.shape == PICTURE.shape
    assert np.abs(back.astype(int) - PICTURE).max() <= tolerance


def test_format_is_seen_by_content_not_by_name(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", PICTURE)
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(read_image(tmp_path / "a.jpg"), PICTURE)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [(1, PICTURE), (3, PICTURE[::-1, ::-1]), (6, np.rot90(PICTURE, -1)), (8, np.rot90(PICTURE))],
)
def test_exif_turn(tmp_path: Path, turn: int, expected: np.ndarray) -> None:
    exif = Image.Exif()
    exif[274] = turn
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), expected)


def test_alpha_is_shown_on_white(tmp_path: Path) -> None:
    rgba = np.full((4, 4, 4), (200, 0, 0, 255), np.uint8)
    rgba[:, 2:, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    Image.fromarray(rgba).quantize(8).save(tmp_path / "palette.png", transparency=0)
    assert read_image(tmp_path / "a.png")[0].tolist() == [[200, 0, 0]] * 2 + [[255, 255, 255]] * 2
    assert read_image(tmp_path / "palette.png").shape == (4, 4, 3)


def test_grey_of_sixteen_bits_is_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 32768, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 128, 255]


def test_other_modes(tmp_path: Path) -> None:
    for mode in ("L", "1", "CMYK", "P"):
        path = tmp_path / f"{mode}.tif"
        Image.fromarray(PICTURE).convert(mode).save(path)
        assert read_image(path).shape == PICTURE.shape


def test_embedded_profile_is_applied(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(PICTURE).save(tmp_path / "a.png", icc_profile=profile)
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - PICTURE).max() <= 1
    Image.fromarray(PICTURE).save(tmp_path / "b.png", icc_profile=b"no profile at all")
    assert np.array_equal(read_image(tmp_path / "b.png"), PICTURE)


def png_header(width: int, height: int) -> bytes:
    """A PNG that only says how large it is, with a little data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def test_hostile_images(tmp_path: Path) -> None:
    write_image(tmp_path / "good.jpg", PICTURE)
    data = (tmp_path / "good.jpg").read_bytes()
    files = {
        "huge.png": png_header(100_000, 100_000),
        "large.png": png_header(10_000, 10_000),
        "cut.jpg": data[: len(data) // 2],
        "text.jpg": b"not a picture\n" * 20,
        "empty.jpg": b"",
        "page.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_image(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)) and "\n" not in message and "; " in message
    for missing in (tmp_path / "none.png", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(InputError):
            read_image(missing)
    assert not is_image(tmp_path / "text.jpg")
    with pytest.raises(InputError, match="100000x100000|too large"):
        is_image(tmp_path / "huge.png")


def test_bad_output(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown kind"):
        write_image(tmp_path / "a.xyz", PICTURE)
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / "no" / "a.png", PICTURE)
    with pytest.raises(ValueError):
        write_image(tmp_path / "a.png", PICTURE[..., 0])
    assert list(tmp_path.iterdir()) == []


def test_animations_are_video(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), v, np.uint8)) for v in (0, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "still.gif")
    assert not is_image(tmp_path / "a.gif") and is_image(tmp_path / "still.gif")
    assert read_image(tmp_path / "a.gif").shape == (8, 8, 3)


def test_size_is_told_from_the_headers_as_shown(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(path, exif=exif)
    assert image_size(path) == (40, 60) and read_image(path).shape == (60, 40, 3)


def test_turned_tiffs_have_the_size_they_are_told_to_have(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(tmp_path / "turned.tif", exif=exif)
    width, height = image_size(tmp_path / "turned.tif")
    assert read_image(tmp_path / "turned.tif").shape == (height, width, 3)


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the system does not bound private memory"
)
def test_images_are_decoded_by_the_process_with_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.png"
    write_image(path, np.full((3000, 4000, 3), 9, np.uint8))
    for most in (
        16,
        64,
    ):  # with 16 MB the decoder itself cannot be loaded, with 64 MB that depends on the system
        monkeypatch.setenv("SWAPTALK_DECODER_MEMORY_MB", str(most))
        with pytest.raises(
            InputError,
            match=f"large.png: decoding it takes more than {most} MB of memory; .*raise SW",
        ):
            read_image(path)
    monkeypatch.delenv("SWAPTALK_DECODER_MEMORY_MB")
    assert read_image(path).shape == (3000, 4000, 3)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_a_crash_on_an_image_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_image(path, PICTURE)
    share = DecoderProcess.share

    def crash(process: DecoderProcess, slot_bytes: int) -> None:
        os.kill(process.process_id, signal.SIGSEGV)
        share(process, slot_bytes)

    with monkeypatch.context() as patch:
        patch.setattr(DecoderProcess, "share", crash)
        with pytest.raises(InputError, match=r"a.png: the decoder crashed on it \(SIGSEGV\); "):
            read_image(path)
    assert np.array_equal(read_image(path), PICTURE)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_large_photo_leaves_no_memory_behind(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    write_image(path, np.full((3000, 4000, 3), 9, np.uint8))
    assert read_image(path).shape == (3000, 4000, 3)
    shared = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("RssShmem")
    )
    assert int(shared.split()[1]) < 20_000  # kB; the picture takes 36,000
