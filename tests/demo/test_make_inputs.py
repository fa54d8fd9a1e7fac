"""The demo clip shows a face that really moves, as far as the face networks can tell."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from swaptalk.runtime import assets

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_inputs", DEMO / "make_inputs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_inputs"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def portrait(demo: ModuleType) -> Any:
    with Image.open(assets.resolve("astronaut")) as photo:
        image = np.asarray(photo.convert("RGB"))
    return demo.LivingPortrait(image, demo.face_mesh(image))


@pytest.fixture(scope="module")
def rest(demo: ModuleType) -> Any:
    return replace(
        demo.pose_at(0.0), yaw=0.0, pitch=0.0, roll=0.0, shift=(0.0, 0.0), lids=0.0, view_roll=0.0
    )


def turn(mesh: NDArray[np.float32]) -> float:
    """How far the nose's tip lies to the right of the eyes' middle, in eye distances."""
    right, left = mesh[33, :2], mesh[263, :2]
    axis = (left - right) / np.linalg.norm(left - right) ** 2
    return float((mesh[4, :2] - (left + right) / 2) @ axis)


def test_head_turns_and_rolls_as_told(demo: ModuleType, portrait: Any, rest: Any) -> None:
    straight = demo.face_mesh(portrait.frame(rest))
    left, right = (
        demo.face_mesh(portrait.frame(replace(rest, yaw=np.deg2rad(a)))) for a in (7.0, -7.0)
    )
    assert turn(left) - turn(straight) > 0.03
    assert turn(right) - turn(straight) < -0.03
    rolled = demo.face_mesh(portrait.frame(replace(rest, roll=np.deg2rad(4.0))))
    angles = [np.rad2deg(np.arctan2(*(m[263, :2] - m[33, :2])[::-1])) for m in (straight, rolled)]
    assert angles[1] - angles[0] == pytest.approx(4.0, abs=1.0)


def test_lids_close(demo: ModuleType, portrait: Any, rest: Any) -> None:
    opened, closed = (portrait.frame(replace(rest, lids=lids)) for lids in (0.0, 1.0))
    mesh = demo.face_mesh(opened)
    for upper, lower in ((159, 145), (386, 374)):
        column, row = np.rint((mesh[upper, :2] + mesh[lower, :2]) / 2).astype(int)
        iris = np.s_[row - 4 : row + 5, column - 4 : column + 5]
        assert closed[iris].mean() > 1.3 * opened[iris].mean()  # skin is brighter than a brown iris


def test_background_stays_while_the_head_moves(portrait: Any, rest: Any) -> None:
    still = portrait.frame(rest).astype(np.int16)
    moved = portrait.frame(replace(rest, yaw=0.1, roll=0.06)).astype(np.int16)
    change = np.abs(still - moved).mean(axis=2)
    assert change[:, 1000:].mean() < 3 and change[:, :150].mean() < 3  # grain only
    assert change[100:400, 450:700].mean() > 6


def test_motion_is_smooth_and_blinks(demo: ModuleType) -> None:
    poses = [demo.pose_at(i / demo.FPS) for i in range(round(demo.SECONDS * demo.FPS))]
    yaw = np.rad2deg([pose.yaw for pose in poses])
    assert np.ptp(yaw) > 8 and np.abs(np.diff(yaw)).max() < 1.0
    assert sum(a.lids < 0.9 <= b.lids for a, b in zip(poses, poses[1:], strict=False)) == 3


def test_clip_is_720p_25_fps_bt709(
    demo: ModuleType, portrait: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SECONDS", 0.4)
    demo.write_clip(tmp_path / "clip.mp4", portrait)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        pictures = list(container.decode(stream))
        assert (stream.width, stream.height, stream.average_rate, len(pictures)) == (
            1280,
            720,
            25,
            10,
        )
        assert (
            stream.codec_context.pix_fmt == "yuv420p" and int(stream.codec_context.colorspace) == 1
        )
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_committed_speech_is_about_as_long_as_the_clip(demo: ModuleType) -> None:
    path = DEMO / "speech.opus"
    assert path.stat().st_size < 100_000
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
        rate = container.streams.audio[0].rate
    assert samples / rate == pytest.approx(demo.SECONDS, abs=0.1)
