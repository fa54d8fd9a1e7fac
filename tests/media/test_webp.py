from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swaptalk.errors import InputError
from swaptalk.media.image import is_image
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader


def animation(
    path: Path,
    pictures: list[np.ndarray],
    durations: list[int] | int,
) -> Path:
    first, *others = [Image.fromarray(picture) for picture in pictures]
    first.save(path, save_all=True, append_images=others, duration=durations, lossless=True)
    return path


@pytest.fixture
def pictures(numbered_frame: Callable[..., np.ndarray]) -> list[np.ndarray]:
    return [numbered_frame(number) for number in range(9)]


@pytest.mark.parametrize("suffix", ["webp", "avif", "png", "gif"])
def test_animations_are_played(
    tmp_path: Path,
    pictures: list[np.ndarray],
    frame_number: Callable[[np.ndarray], int],
    suffix: str,
) -> None:
    """Every picture of an animation comes once, at its rate, whatever the format."""
    path = animation(tmp_path / f"moving.{suffix}", pictures, 100)
    assert not is_image(path)
    info = probe(path).video
    assert info is not None and (info.average_fps, info.variable_rate) == (10, False)
    assert info.duration == pytest.approx(0.9, abs=0.001)
    with VideoReader(path) as reader:
        assert [frame_number(frame) for frame in reader.frames()] == list(range(9))
        order = [8, 7, 2, 5, 0, 0]
        assert [frame_number(frame) for frame in reader.frames(order)] == order


def test_times_of_an_animated_webp(
    tmp_path: Path, pictures: list[np.ndarray], frame_number: Callable[[np.ndarray], int]
) -> None:
    """Uneven times make a variable rate; a time of 0 means a tenth of a second, as in browsers."""
    path = animation(tmp_path / "moving.webp", pictures[:4], [200, 0, 400, 100])
    info = probe(path).video
    assert info is not None and info.variable_rate
    assert info.duration == pytest.approx(0.8)
    with VideoReader(path, fps=Fraction(10)) as reader:
        shown = [frame_number(frame) for frame in reader.frames()]
    assert shown == [0, 0, 1, 2, 2, 2, 2, 3]


def test_webp_of_one_picture_is_a_photo(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    assert is_image(animation(tmp_path / "one.webp", pictures[:1], 100))
    Image.fromarray(pictures[0]).save(tmp_path / "plain.webp")
    assert is_image(tmp_path / "plain.webp")


def test_transparent_webp_lies_on_white(tmp_path: Path) -> None:
    pictures = []
    for level in (0, 60, 120):
        picture = np.zeros((32, 32, 4), np.uint8)
        picture[8:24, 8:24] = (level, 100, 200, 255)
        picture[0, 0] = picture[-1, -1] = (level, level, level, 128)
        pictures.append(picture)
    path = animation(tmp_path / "cut.webp", pictures, 40)
    info = probe(path).video
    assert info is not None and info.transparent and info.average_fps == 25
    with VideoReader(path) as reader:
        seen = list(reader.frames())
    assert [tuple(frame[2, 2]) for frame in seen] == [(255, 255, 255)] * 3
    assert [tuple(frame[16, 16]) for frame in seen] == [(n, 100, 200) for n in (0, 60, 120)]


def test_truncated_webp_is_refused(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    path = animation(tmp_path / "moving.webp", pictures, 100)
    data = path.read_bytes()
    for end in (40, len(data) * 2 // 3):
        path.write_bytes(data[:end])
        with pytest.raises(InputError, match="truncated or damaged"):
            probe(path)
