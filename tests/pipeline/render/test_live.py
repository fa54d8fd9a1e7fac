"""Live speech: frames come while it is still being spoken, and move as they would from the whole
recording."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.image import read_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.render.generate import QUEUE
from swaptalk.pipeline.render.live import LOOK_AHEAD, LiveSpeech
from swaptalk.pipeline.render.motion_track import MotionTrack, write_motion

CHUNK = 800  # 50 ms


def read_video(path: Path) -> list[NDArray[np.uint8]]:
    with VideoReader(path) as video:
        return list(video.frames())


def test_motion_is_that_of_the_whole_recording(networks, make_wav, voice, tmp_path: Path) -> None:
    samples = np.concatenate([voice(1.0), np.zeros(16000, np.float32), voice(0.6)])
    write_motion(networks, InputFile(make_wav(samples=samples)), tmp_path)
    whole, live = MotionTrack(tmp_path, networks), LiveSpeech(networks)
    compared: list[tuple[float, float]] = []
    for begin in range(0, len(samples), CHUNK):
        live.push(samples[begin : begin + CHUNK])
        while len(compared) / 25 + LOOK_AHEAD <= live.seconds:
            time = len(compared) / 25
            compared.append((whole.at(time)[2, 0], live.at(time)[2, 0]))
    whole.close()
    a, b = np.array(compared).T
    assert len(a) > 55
    assert np.corrcoef(a[10:], b[10:])[0, 1] > 0.95
    assert np.abs(b[36:44]).max() < 0.05  # silence, known as such from what was heard before


def test_frames_follow_the_sound_at_the_stated_distance(
    maker: SwapTalk, make_clip, voice, tmp_path: Path
) -> None:
    template = maker.build_template(make_clip(frames=6), tmp_path / "T.swaptalk").path
    samples = voice(1.3)
    pictures: list[NDArray[np.uint8]] = []
    starved: list[int] = []
    came = threading.Condition()

    def enough(due: int) -> bool:
        return len(pictures) >= due

    def microphone() -> Iterator[NDArray[np.float32]]:
        """Says nothing more before every frame has come that needs no more."""
        for begin in range(0, len(samples), CHUNK):
            due = sum(index / 25 + LOOK_AHEAD <= begin / 16000 + 1e-9 for index in range(33))
            with came:
                if not came.wait_for(partial(enough, due), timeout=20):
                    starved.append(begin)
            yield samples[begin : begin + CHUNK]

    for picture in maker.stream(microphone(), target=template):
        with came:
            pictures.append(picture)
            came.notify()
    assert not starved
    assert len(pictures) == 33 and pictures[0].shape == (144, 160, 3)
    mouths = [picture[75:95, 60:90].mean() for picture in pictures]
    assert max(mouths) - min(mouths) > 5  # it moves


def test_scenes_of_templates_are_swapped_before_anybody_speaks(
    maker: SwapTalk,
    networks,
    make_clip,
    photo: Path,
    voice,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = maker.build_template(make_clip(frames=6), tmp_path / "T.swaptalk").path
    swapped: list[bool] = []
    swap, heard = networks.swap, False

    def noted(latents, *arguments):
        swapped.append(heard)
        return swap(latents, *arguments)

    def speech() -> Iterator[NDArray[np.float32]]:
        nonlocal heard
        heard = True
        yield voice(1.0)

    before = list(maker.stream(speech(), target=template, source=photo))
    heard = False
    monkeypatch.setattr(networks, "swap", noted)
    after = list(maker.stream(speech(), target=template, source=photo))
    assert swapped and not any(swapped)
    np.testing.assert_array_equal(np.stack(before), np.stack(after))


def test_a_photo_speaks_and_stops_when_nobody_listens(maker: SwapTalk, photo: Path, voice) -> None:
    asked = 0

    def endless() -> Iterator[NDArray[np.int16]]:
        nonlocal asked
        while True:
            asked += 1
            yield (voice(0.1) * 32767).astype(np.int16)

    frames = maker.stream(endless(), target=photo, resolution="128")
    assert [next(frames).shape[0] for _ in range(5)] == [128] * 5
    frames.close()  # type: ignore[attr-defined]
    # Two lists of chunks have been taken, a third waits, and one chunk more for its place there.
    assert asked <= 3 * QUEUE + 1


@pytest.fixture
def couple(tmp_path: Path, photo: Path, other_photo: Path) -> Path:
    """Two frames of the portrait beside the astronaut."""
    heads = read_image(photo)[0:420, 40:460], read_image(other_photo)[0:260, 90:350]
    sides = [cv2.resize(head, (192, 192)).astype(np.uint8) for head in heads]
    path = tmp_path / "couple.mp4"
    with VideoWriter(path, 384, 192, 25, quality=10) as writer:
        for _ in range(2):
            writer.write(np.concatenate(sides, axis=1))
    return path


def test_one_of_several_people_speaks_live(
    maker: SwapTalk, couple: Path, photo: Path, other_photo: Path, voice
) -> None:
    shown = read_video(couple)[0].astype(np.int16)

    def changes(**settings) -> tuple[float, float]:
        """How much the faces on the left and on the right change."""
        frames = list(maker.stream([voice(0.4)], target=couple, **settings))
        assert len(frames) == 10
        moved = np.abs(np.stack(frames).astype(np.int16) - shown)[:, 64:170]
        return float(moved[:, :, 60:130].mean()), float(moved[:, :, 252:322].mean())

    for chosen in (
        {"face": "right", "source": photo},
        {"face": "2", "source": photo},
        {"face": f"like:{other_photo}", "source": photo},
        {"person": f"face=like:{other_photo},source={photo}"},
        {"person": ["face=right"]},  # only the words
    ):
        left, right = changes(**chosen)
        assert right > 3 * left, chosen
    left, right = changes(face=f"like:{photo}", source=other_photo)
    assert left > 3 * right


def test_the_cut_follows_the_person_and_the_label_is_seen(
    maker: SwapTalk, couple: Path, voice
) -> None:
    settings = {"target": couple, "face": "right", "crop": "1:1"}
    plain, labelled = (
        next(iter(maker.stream([voice(0.3)], **settings, label=label))).astype(np.int16)
        for label in (False, True)
    )
    assert plain.shape == (192, 192, 3)
    shown = read_video(couple)[0][:, 192:].astype(np.int16)
    assert np.abs(plain - shown)[:40].mean() < 8  # the right half, above the mouth
    assert np.abs(labelled - plain)[150:, :100].mean() > 5


def test_what_is_refused(maker: SwapTalk, photo: Path, make_wav) -> None:
    words = make_wav()
    with pytest.raises(InputError, match="words.wav: is given where chunks"):
        next(maker.stream([], GenerateOptions(target=photo, audio=words)))
    for settings, problem in (
        ({"person": ["face=1,source=a.jpg", "face=2,source=b.jpg"]}, "2 entries of --person"),
        ({"person": f"face=1,audio={words}"}, "has a recording where chunks of sound"),
        ({"person": "face=1,source=a.jpg", "source": "b.jpg"}, "--source beside --person"),
        ({"background": "keep"}, "--background is given, but live frames have no sound"),
        ({"loudness": -16}, "--loudness is given, but live frames have no sound"),
        ({"turns": "turns.csv"}, "--turns is given, but live speech has no end"),
        ({"lips": "composite"}, "--lips is given, but live speech has no end"),
        ({"output": "out.mp4"}, "--output is given, but live frames are no file"),
        ({"face": "7"}, "there is no face 7"),
    ):
        with pytest.raises(InputError, match=problem):
            next(maker.stream([], target=photo, **settings))
    for chunk in (np.zeros((2, 100)), np.array([np.nan])):
        with pytest.raises(ValueError, match="a chunk must be samples"):
            next(maker.stream([chunk], target=photo, resolution="128"))
    assert list(maker.stream([], target=photo, resolution="128")) == []
