"""Frames made before a job is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.image import read_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.options import GenerateOptions

from .pictures import UNTOUCHED, change


def test_preview_without_output_renders_a_few_frames_only(
    maker: SwapTalk, make_clip, make_wav, other_photo: Path, tmp_path: Path
) -> None:
    report = maker.generate(
        source=other_photo,
        target=make_clip(frames=6),
        audio=make_wav(1.0),
        preview=tmp_path / "preview.png",
    )
    assert report is None
    sheet = read_image(tmp_path / "preview.png")
    close = 80  # a close-up: half a column; the target's beside the result's in the first row
    assert sheet.shape == (close + 2 * 144, 4 * 160, 3)
    assert change(sheet[:close, :close], sheet[:close, close : 2 * close]) > UNTOUCHED
    assert change(sheet[close : close + 144, :160], sheet[close + 144 :, :160]) > UNTOUCHED
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "preview.png",
        "target.mp4",
        "words.wav",
    ]


def test_preview_of_one_moment_analyses_only_its_surroundings(
    maker: SwapTalk, make_clip, make_wav, other_photo: Path
) -> None:
    options = GenerateOptions(
        source=other_photo, target=make_clip(frames=40), audio=make_wav(3.2), preview=None
    )
    with VideoReader(options.target) as video:
        pictures = list(video.frames(range(40)))
    # 3.2 s of words over 1.6 s of pictures: frame 60 is the 18th on the way back.
    for seconds, shown in ((1.2, 30), (2.4, 18)):
        (frame,), length = maker.preview(options, at=seconds)
        assert length == pytest.approx(3.2, abs=0.05) and frame.seconds == pytest.approx(seconds)
        assert np.array_equal(frame.before, pictures[shown])
        assert frame.face is not None
        left, top, right, bottom = frame.face
        assert right - left == bottom - top and frame.close_up(frame.after).shape[0] <= 144
        inside = np.s_[top:bottom, left:right]
        assert change(frame.before[inside], frame.after[inside]) > UNTOUCHED
    with pytest.raises(InputError, match="after the end"):
        maker.preview(options, at=3.3)
    short = replace(options, audio=make_wav(0.8, name="short.wav"))  # shorter than the pictures
    assert np.array_equal(maker.preview(short, at=0.78)[0][0].before, pictures[19])
