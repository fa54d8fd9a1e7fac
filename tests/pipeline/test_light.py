"""Faces in fades and flashes: what is made must have the light of its frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.api import SwapTalk

Light = Callable[[int, NDArray[np.float32]], NDArray[np.float32]]
CLEAN = 12


def to_white(number: int, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    share = 0.0 if number < CLEAN else 0.3 + 0.05 * (number - CLEAN)
    return picture * (1 - share) + 255 * share


def from_white(number: int, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return to_white(23 - number, picture)


def flash(number: int, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A flash of two frames at half the levels' distance to white, without clipping."""
    return picture * 0.5 + 127.5 if number in (11, 12) else picture


@pytest.fixture(scope="module")
def unlit() -> list[NDArray[np.float32]]:
    """The spoken scene without any change of light, once it was made: the same for all changes."""
    return []


@pytest.mark.parametrize("light", [to_white, from_white, flash])
def test_a_mouth_in_the_light_of_its_frame(
    maker: SwapTalk,
    portrait: NDArray[np.uint8],
    make_wav,
    tmp_path: Path,
    unlit: list[NDArray[np.float32]],
    light: Light,
) -> None:
    """Lips put into the lit scene look as lips put into the scene and lit afterwards."""
    picture, words = portrait[:144, :160], make_wav(0.96)

    def spoken(name: str, change: Light) -> NDArray[np.float32]:
        with VideoWriter(tmp_path / name, 160, 144, 25, quality=4) as writer:
            for number in range(24):
                shown = np.rint(change(number, picture.astype(np.float32)))
                writer.write(np.ascontiguousarray(shown.astype(np.uint8)))
        output = tmp_path / f"spoken-{name}"
        report = maker.generate(target=tmp_path / name, audio=words, output=output, quality="best")
        assert report is not None and report.changed == 24
        with VideoReader(output) as reader:
            return np.stack(list(reader.frames())).astype(np.float32)

    if not unlit:
        unlit.append(spoken("plain.mp4", lambda number, shown: shown))
    plain = unlit[0]
    lit = spoken("lit.mp4", light)
    place = np.abs(plain - picture).max(axis=-1) > 12  # what was drawn
    assert place.mean() > 0.01
    wanted = np.stack([light(number, shown) for number, shown in enumerate(plain)])
    changed = [number for number in range(24) if (wanted[number] != plain[number]).any()]
    assert len(changed) >= 2
    for number in changed:
        assert np.abs(lit[number] - wanted[number])[place[number]].mean() < 4
