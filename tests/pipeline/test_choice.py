"""Whose face is replaced where several people are seen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.media.image import read_image
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.api import SwapTalk

from .pictures import UNTOUCHED, change, read


def test_list_faces_and_choice_by_number(
    unmarked: SwapTalk, two_people: Path, photo: Path, tmp_path: Path
) -> None:
    faces = unmarked.list_faces(target=two_people, list_faces=tmp_path / "faces.png")
    assert [face.number for face in faces] == [1, 2]
    assert read_image(tmp_path / "faces.png").shape[1] == 2 * 192
    before = read_image(two_people)
    changed = {}
    for choice in ("left", "right", "1", "2"):
        unmarked.generate(source=photo, target=two_people, output=tmp_path / "out.png", face=choice)
        moved = np.abs(read_image(tmp_path / "out.png").astype(int) - before).mean(axis=(0, 2))
        changed[choice] = "left" if moved[:512].sum() > moved[512:].sum() else "right"
        assert min(moved[:512].sum(), moved[512:].sum()) < 1  # the other person is left alone
    assert changed["left"] == "left" and changed["right"] == "right"
    assert {changed["1"], changed["2"]} == {"left", "right"}


def test_the_chosen_person_is_known_again_after_a_cut(
    maker: SwapTalk, analyser, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    if analyser.recogniser is None:
        pytest.skip("the recogniser is not to be had")
    pictures = [
        cv2.resize(read_image(path)[:380, 60:460], (200, 190), interpolation=cv2.INTER_AREA)
        for path in (photo, other_photo)
    ]
    scenes = [0, 1, 0, 1]
    with VideoWriter(tmp_path / "cuts.mp4", 200, 190, 25) as writer:
        for scene in scenes:
            for _ in range(5):
                writer.write(np.asarray(pictures[scene], np.uint8))
    assert [
        face.frames for face in maker.list_faces(target=tmp_path / "cuts.mp4", list_faces=None)
    ] == [10, 10]
    report = maker.generate(
        source=other_photo, target=tmp_path / "cuts.mp4", output=tmp_path / "out.mp4", face="1"
    )
    assert report is not None and report.changed == 10
    made, shown = read(tmp_path / "out.mp4"), read(tmp_path / "cuts.mp4")
    assert [change(made[5 * n + 2], shown[5 * n + 2]) > UNTOUCHED for n in range(4)] == [
        True,
        False,
        True,
        False,
    ]
