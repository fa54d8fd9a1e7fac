from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.prepare import PIECE_SECONDS, PrepareSettings, pieces, prepare  # noqa: E402
from swaptalk.data.sources import Source  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.media.video_writer import VideoWriter  # noqa: E402


def slow_clip(path: Path, seconds: int) -> Source:
    with VideoWriter(path, 32, 32, 1) as writer:
        for _ in range(seconds):
            writer.write(np.zeros((32, 32, 3), np.uint8))
    return Source("talk.mp4", path, "real", identity="me")


def test_long_clips_come_in_pieces(tmp_path: Path) -> None:
    source = slow_clip(tmp_path / "talk.mp4", 185)
    parts = pieces(source, 0.0)
    assert [(p.name, p.start, p.end) for p in parts] == [
        ("talk.mp4@0s", 0, 60),
        ("talk.mp4@60s", 60, 120),
        ("talk.mp4@120s", 120, None),
    ]
    assert all(p.identity == "me" for p in parts)
    assert [(p.start, p.end) for p in pieces(source, 90.0)] == [(0, PIECE_SECONDS), (60, 90)]
    assert [(p.name, p.end) for p in pieces(source, 20.0)] == [("talk.mp4", 20)]
    assert [p.name for p in pieces(slow_clip(tmp_path / "short.mp4", 65), 0.0)] == ["talk.mp4"]


def test_a_clip_becomes_aligned_crops_with_sound(
    make_clip: Callable[..., Path], make_wav: Callable[..., Path], tmp_path: Path
) -> None:
    make_clip("one.mp4", frames=50, fps=25, faceless=range(10, 15), sound=make_wav(2.0))
    make_clip("two.mp4", frames=70, fps=30)
    settings = PrepareSettings(tmp_path / "data", workers=1, identities=False, test_share=0.0)
    report = prepare([tmp_path / "one.mp4", tmp_path / "two.mp4"], settings)
    assert report.items == {"real clips (train)": 2}
    dataset = Dataset(tmp_path / "data")
    one, two = (next(i for i in dataset.items if i.name == name) for name in ("one.mp4", "two.mp4"))
    assert (one.count, two.count) == (50, 58)  # 70 frames at 30 fps are 58 at 25
    assert one.sound and not two.sound
    usable = dataset.usable(one)
    assert not usable[10:15].any() and usable[:9].all() and usable[20:].all()
    crop, mesh = dataset.picture(one, 0), dataset.landmarks(one)[0]
    assert crop.shape == (256, 256, 3) and crop.std() > 20
    assert mesh[33, 0] == pytest.approx(63, abs=8) and mesh[263, 0] == pytest.approx(193, abs=8)
    assert dataset.audio(one).shape == (50 * 640,) and dataset.mel(one).shape == (200, 80)
    assert dataset.speech(one).mean() > 0.8 and not dataset.speech(two).any()
    with pytest.raises(ValueError, match="has no sound"):
        dataset.audio(two)


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    slow_clip(tmp_path / "black.mp4", 3)
    with pytest.raises(InputError, match="nothing of it can be used"):
        prepare(
            [tmp_path / "black.mp4"],
            PrepareSettings(tmp_path / "data", workers=1, identities=False),
        )
    with pytest.raises(InputError, match="not a prepared dataset"):
        Dataset(tmp_path / "data")
