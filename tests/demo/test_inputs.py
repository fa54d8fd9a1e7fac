"""The committed demo inputs are what the README beside them says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.media.audio import read_audio
from swaptalk.media.image import read_image
from swaptalk.media.video_reader import VideoReader

DEMO = Path(__file__).parents[2] / "demo"


def test_photo_shows_one_face_larger_than_the_networks_crop() -> None:
    (face,) = FaceAnalyser().faces(read_image(DEMO / "source.jpg"))
    assert np.ptp(face.xy[:, 1]) > 400


def test_target_shows_one_face_in_six_seconds_of_720p() -> None:
    with VideoReader(DEMO / "target.mp4") as video:
        assert (video.width, video.height, video.fps, len(video)) == (960, 720, 30, 180)
        tracker = FaceAnalyser().tracker()
        for frame in video.frames(range(0, 180, 45)):
            assert len(tracker.update(frame).faces) == 1


def test_speech_is_as_long_as_the_target_and_fills_it() -> None:
    samples = read_audio(DEMO / "speech.opus")
    assert len(samples) / 16000 == pytest.approx(6.0, abs=0.05)
    assert 0.7 < np.abs(samples).max() <= 1
    loud = np.flatnonzero(np.abs(samples) > 0.05) / 16000
    assert loud[0] < 0.5 and loud[-1] > 5.3


def test_inputs_are_small_enough_to_be_committed() -> None:
    assert sum(file.stat().st_size for file in DEMO.iterdir() if "out" not in file.name) < 2e6
