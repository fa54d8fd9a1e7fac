"""The photo's detail in a whole job: there where faces are large, the same after an interruption
and from a template."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.media.image import read_image, write_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.analysis.source import read_source
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.render import write

from ..test_resume import StopAt


@pytest.fixture
def large_photo(other_photo: Path, tmp_path: Path) -> Path:
    """A face of more than 300 pixels, with grain."""
    photo = cv2.resize(read_image(other_photo)[:320, 60:380], None, fx=3, fy=3)
    grain = np.random.default_rng(2).normal(1, 0.06, photo.shape[:2])[..., None]
    write_image(tmp_path / "large.png", np.clip(photo * grain, 0, 255).astype(np.uint8))
    return tmp_path / "large.png"


@pytest.fixture
def job(make_clip, large_photo: Path) -> dict:
    return {"source": large_photo, "target": make_clip(frames=14), "resolution": "720"}


def frames(maker: SwapTalk, job: dict, **settings) -> np.ndarray:
    return np.stack(list(maker.frames(**job, **settings)))


def test_only_large_photos_have_a_fine_crop(
    analyser: FaceAnalyser, other_photo: Path, large_photo: Path
) -> None:
    fine = [
        read_source([path], None, analyser).photos[0].fine for path in (other_photo, large_photo)
    ]
    assert fine[0] is None and fine[1] is not None and fine[1].shape == (512, 512, 3)


def test_large_faces_get_it_and_small_ones_do_not(unmarked: SwapTalk, job: dict) -> None:
    with_detail, without = (frames(unmarked, job, detail=detail) for detail in (True, False))
    for a, b in zip(with_detail, without, strict=True):
        changed = (a != b).any(axis=2)
        assert 0.02 < changed.mean() < 0.3
    small = {**job, "resolution": None}
    np.testing.assert_array_equal(frames(unmarked, small), frames(unmarked, small, detail=False))


def test_a_template_gives_the_same(maker: SwapTalk, job: dict, tmp_path: Path) -> None:
    template = maker.build_template(
        tmp_path / "target.mp4",
        tmp_path / "T.swaptalk",
        **{name: job[name] for name in ("source", "resolution")},
    )
    compiled = frames(maker, {**job, "target": template.path, "resolution": None})
    np.testing.assert_array_equal(compiled, frames(maker, job))


def test_a_resumed_job_gives_the_same(
    analyser: FaceAnalyser, networks, maker: SwapTalk, job: dict, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(write, "CHUNK_SECONDS", 0.2)
    maker.generate(**job, output=tmp_path / "whole.mp4")
    with pytest.raises(KeyboardInterrupt):
        SwapTalk(networks, analyser, StopAt(6)).generate(**job, output=tmp_path / "out.mp4")
    with pytest.raises(InputError, match="other inputs, options or weights"):
        maker.generate(**job, output=tmp_path / "out.mp4", detail=False, resume=True)
    report = maker.generate(**job, output=tmp_path / "out.mp4", resume=True)
    assert report is not None and report.resumed_frames >= 5
    with VideoReader(tmp_path / "out.mp4") as resumed, VideoReader(tmp_path / "whole.mp4") as once:
        for a, b in zip(resumed.frames(), once.frames(), strict=True):
            np.testing.assert_array_equal(a, b)
