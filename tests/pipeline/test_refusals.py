"""What bad input gets: one line with file and remedy, and nothing written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.image import read_image, write_image
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.checks import check_disk, check_output
from swaptalk.pipeline.option_values import output_size, parse_fps
from swaptalk.pipeline.options import GenerateOptions


@pytest.fixture
def job(make_clip, make_wav, other_photo: Path, tmp_path: Path) -> dict:
    return {
        "source": other_photo,
        "target": make_clip(frames=4),
        "audio": make_wav(0.16),
        "output": tmp_path / "out.mp4",
    }


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def refused(
    maker: SwapTalk, job: dict, tmp_path: Path, match: str, path: Path | None = None
) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=match) as caught:
        maker.generate(**job)
    assert "\n" not in str(caught.value) and "; " in str(caught.value)
    if path is not None:
        assert str(path) in str(caught.value)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("role", ["source", "target", "audio"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text", "folder"])
def test_files_that_are_none(
    maker: SwapTalk, job: dict, tmp_path: Path, role: str, kind: str
) -> None:
    path = tmp_path / "bad.mp4"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is not a video " * 100)
    elif kind == "folder":
        path.mkdir()
    refused(maker, {**job, role: path}, tmp_path, ".", path)


def test_truncated_video(maker: SwapTalk, job: dict, make_clip, make_wav, tmp_path: Path) -> None:
    path = make_clip("long.mp4", frames=60, sound=make_wav(2.4, "long.wav"))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    refused(maker, {**job, "target": path}, tmp_path, "breaks off after .* --end", path)
    # What is there can be used.
    assert maker.generate(**{**job, "target": path}, end=0.4) is not None


def test_sound_without_pictures_and_pictures_without_sound(
    maker: SwapTalk, job: dict, tmp_path: Path
) -> None:
    refused(maker, {**job, "target": job["audio"]}, tmp_path, "no pictures", job["audio"])
    refused(maker, {**job, "audio": job["target"]}, tmp_path, "no sound", job["target"])
    refused(maker, {**job, "audio": job["source"]}, tmp_path, ".", job["source"])


def test_sound_of_no_samples_or_nan(maker: SwapTalk, job: dict, make_wav, tmp_path: Path) -> None:
    import struct

    refused(
        maker,
        {**job, "audio": make_wav(name="none.wav", samples=np.zeros(0, np.float32))},
        tmp_path,
        ".",
    )
    samples = np.zeros(1600, "<f4")
    samples[800] = np.nan
    size = samples.nbytes
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + size,
        b"WAVE",
        b"fmt ",
        16,
        3,
        1,
        16000,
        64000,
        4,
        32,
        b"data",
        size,
    )
    (tmp_path / "nan.wav").write_bytes(header + samples.tobytes())
    refused(maker, {**job, "audio": tmp_path / "nan.wav"}, tmp_path, "NaN")


def test_no_face_in_the_source(maker: SwapTalk, job: dict, tmp_path: Path) -> None:
    write_image(tmp_path / "wall.png", np.full((200, 200, 3), 120, np.uint8))
    refused(
        maker,
        {**job, "source": tmp_path / "wall.png"},
        tmp_path,
        "no face was found",
        tmp_path / "wall.png",
    )
    refused(maker, {**job, "source": job["target"]}, tmp_path, "must be a photo", job["target"])


def test_several_people_in_the_source_need_a_choice(
    maker: SwapTalk, job: dict, two_people: Path, tmp_path: Path
) -> None:
    refused(maker, {**job, "source": two_people}, tmp_path, "2 people .*--source-face", two_people)
    refused(
        maker, {**job, "source": two_people, "source_face": "3"}, tmp_path, "no face 3", two_people
    )
    assert maker.generate(**{**job, "source": two_people, "source_face": "left"}) is not None


def test_no_face_in_the_target(maker: SwapTalk, job: dict, make_clip, tmp_path: Path) -> None:
    target = make_clip("wall.mp4", frames=4, faceless=range(4))
    refused(
        maker,
        {**job, "target": target},
        tmp_path,
        "no face that could be replaced .*no face",
        target,
    )
    refused(maker, {**job, "face": "7"}, tmp_path, "no face 7")


def test_outputs_that_would_do_harm(maker: SwapTalk, job: dict, tmp_path: Path) -> None:
    clip = tmp_path / "again.mp4"
    os.link(job["target"], clip)  # another name of the same file
    refused(maker, {**job, "output": clip}, tmp_path, "input of this job", clip)
    refused(maker, {**job, "output": job["target"]}, tmp_path, "input of this job")
    refused(maker, {**job, "stats": job["audio"]}, tmp_path, "ending in '.wav'")
    refused(maker, {**job, "output": tmp_path / "out.avi"}, tmp_path, "ending in '.avi'")
    refused(
        maker,
        {**job, "output": tmp_path / "nowhere" / "out.mp4"},
        tmp_path,
        "folder does not exist",
    )
    (tmp_path / "dir.mp4").mkdir()
    refused(maker, {**job, "output": tmp_path / "dir.mp4"}, tmp_path, "is a folder")
    same = tmp_path / "a.png"
    refused(maker, {**job, "preview": same, "list_faces": same}, tmp_path, "two outputs")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which nobody can write")
def test_output_that_cannot_be_written() -> None:
    with pytest.raises(InputError, match="not writable .*choose a folder"):
        check_output(Path("/proc/out.mp4"), (".mp4",), ())


def test_disk_without_room(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs about .* MB, .* MB are free; free some space"):
        check_disk(tmp_path / "out.mp4", shutil.disk_usage(tmp_path).free)


def test_photo_without_length(maker: SwapTalk, job: dict, photo: Path, tmp_path: Path) -> None:
    refused(
        maker,
        {**job, "target": photo, "audio": None},
        tmp_path,
        "has no length; give --audio",
        photo,
    )
    refused(maker, {**job, "target": photo, "end": 2.0}, tmp_path, "no --start or --end", photo)


def test_a_long_job_must_be_confirmed(
    maker: SwapTalk, job: dict, make_wav, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swaptalk.pipeline import plan

    monkeypatch.setattr(plan, "LONG_SECONDS", 1.0)
    job["audio"] = make_wav(1.2)
    refused(maker, job, tmp_path, "--allow-long", job["audio"])
    assert maker.generate(**job, allow_long=True) is not None


def test_a_huge_picture(maker: SwapTalk, job: dict, tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    )
    for role in ("source", "target"):
        refused(maker, {**job, role: bomb}, tmp_path, "too large", bomb)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"strength": 1.5}, "--strength"),
        ({"strength": float("nan")}, "--strength"),
        ({"face": "middle"}, "--face"),
        ({"start": -1.0}, "--start"),
        ({"start": 3.0, "end": 2.0}, "--end"),
        ({"fps": "fast"}, "--fps"),
        ({"fps": "0"}, "--fps"),
        ({"fps": "1/0"}, "--fps"),
        ({"fps": "1000"}, "--fps"),
        ({"resolution": "big"}, "--res"),
        ({"resolution": "1x1"}, "--res"),
        ({"resolution": "99999"}, "--res"),
        ({"quality": "superb"}, "--quality"),
        ({"quality": "99"}, "--quality"),
        ({"codec": "divx"}, "--codec"),
        ({"region": "ear"}, "--region"),
        ({"length": "long"}, "--length"),
        ({"threads": 2}, "from_pretrained"),
        ({"output": None}, "--output"),
        ({"source": (), "audio": None}, "--source"),
    ],
)
def test_unknown_option_values(
    maker: SwapTalk, job: dict, tmp_path: Path, settings: dict, match: str
) -> None:
    refused(maker, {**job, **settings}, tmp_path, match)


def test_rates_and_sizes_that_are_understood() -> None:
    from fractions import Fraction

    assert parse_fps("29.97") == parse_fps("30000/1001") == Fraction(30000, 1001)
    assert parse_fps("23.976") == Fraction(24000, 1001) and parse_fps("12.5") == Fraction(25, 2)
    assert output_size(None, 641, 361) == (641, 361)
    assert output_size("720p", 1920, 1080) == (1280, 720)
    assert output_size("640x360", 1920, 1080) == (640, 360)


def test_options_take_strings_and_single_photos() -> None:
    options = GenerateOptions(target="a.mp4", source="b.png", audio="c.wav", output="d.mp4")  # type: ignore[arg-type]
    assert options.source == (Path("b.png"),) and options.target == Path("a.mp4")
    assert options.replaced_region == "face"


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs a small disk of its own"
)
def test_a_disk_that_fills_up_while_writing(maker: SwapTalk, job: dict, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("may not mount")
    try:
        from swaptalk.pipeline import plan

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "check_disk", lambda *_: None)  # the estimate was wrong
            with pytest.raises(InputError, match="the disk is full"):
                maker.generate(
                    **{**job, "output": disk / "out.mp4"}, resolution="2000", quality="0"
                )
        assert not (disk / "out.mp4").exists() and not list(disk.rglob("*.part"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_source_photo_is_not_changed(maker: SwapTalk, job: dict) -> None:
    before = read_image(job["source"])
    maker.generate(**job)
    assert np.array_equal(read_image(job["source"]), before)
