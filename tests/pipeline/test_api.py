"""Whole jobs on real footage, with networks simple enough to know what must come out."""

from __future__ import annotations

import errno
import json
import threading
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.inference.bundle import ModelBundle
from swaptalk.media.audio import read_audio
from swaptalk.media.image import read_image, write_image
from swaptalk.media.probe import probe
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.render.marker import OutputMarker

from .pictures import UNTOUCHED, change, read

SPEECH = Path(__file__).parents[2] / "demo" / "speech.opus"


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_generate_from_photo_video_and_recording(
    maker: SwapTalk, make_clip, make_wav, other_photo: Path, tmp_path: Path, fps: Fraction
) -> None:
    target, audio = make_clip(frames=8, fps=fps), make_wav(0.6)
    report = maker.generate(
        source=other_photo,
        target=target,
        audio=audio,
        output=tmp_path / "out.mp4",
        stats=tmp_path / "stats.json",
    )
    assert report is not None
    info, made, shown = probe(tmp_path / "out.mp4"), read(tmp_path / "out.mp4"), read(target)
    assert info.video is not None and info.audio is not None
    assert len(made) == report.frames == report.changed == round(0.6 * fps)
    assert info.video.average_fps == fps
    assert abs(info.audio.duration - info.video.duration) < 1 / fps
    for index, number in enumerate(
        [0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2]
    ):  # the video goes back and forth
        corner = slice(0, 24), slice(0, 24)
        assert np.abs(made[index][corner].astype(int) - shown[number][corner]).mean() < UNTOUCHED
        assert change(made[index], shown[number]) > 2 * UNTOUCHED
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["passed_through"] == {} and stats["peak_memory_bytes"] > 50e6
    assert {"decode video", "find faces", "encode faces", "networks", "composite", "join"} <= set(
        stats["stages"]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.mp4",
        "stats.json",
        "target.mp4",
        "words.wav",
    ]


def test_the_output_says_what_it_is(maker: SwapTalk, make_clip, make_wav, tmp_path: Path) -> None:
    import av

    maker.generate(target=make_clip(frames=3), audio=make_wav(0.12), output=tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (
            "AI-generated" in container.metadata["comment"]
            and "SwapTalk" in container.metadata["comment"]
        )


def test_swap_keeps_speech_length_and_mouth(
    maker: SwapTalk,
    networks,
    make_clip,
    make_wav,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(networks, "lipsync", lambda *_: pytest.fail("there is no audio to follow"))
    target = make_clip(frames=9, sound=make_wav(0.36))
    report = maker.generate(source=photo, target=target, output=tmp_path / "out.mp4")
    assert report is not None and report.frames == 9
    ours, theirs = read_audio(tmp_path / "out.mp4"), read_audio(target)
    assert len(ours) == pytest.approx(len(theirs), abs=16)
    assert (
        np.corrcoef(ours[: len(theirs) - 16], theirs[: len(ours)][: len(theirs) - 16])[0, 1] > 0.95
    )


def test_sync_keeps_the_face_and_silence_closes_the_mouth(
    maker: SwapTalk, networks, make_clip, make_wav, voice, tmp_path: Path
) -> None:
    samples = np.concatenate([voice(0.6), np.zeros(16000, np.float32)])
    target = make_clip(frames=4)
    maker.generate(
        target=target,
        audio=make_wav(samples=samples),
        output=tmp_path / "out.mp4",
        length="audio",
        extend="freeze",
        lips="latent",
        restoration=False,
    )
    made = read(tmp_path / "out.mp4")
    assert networks.swapped == 0 and len(made) == 40
    mouth = slice(75, 95), slice(60, 90)
    brightness = [frame[mouth].mean() for frame in made]
    # The stand-in lightens the mouth with the voice; colour matching fades in and out over several
    # frames.
    assert min(brightness[6:14]) > max(brightness[32:]) + 10


@pytest.mark.parametrize("order", ["swap-first", "sync-first"])
def test_a_warped_mouth_opens_with_the_voice_and_closes_with_silence(
    analyser, make_clip, make_wav, other_photo: Path, order: str
) -> None:
    """The real networks; the mouth of the result is measured as the target's is."""
    word = read_audio(SPEECH, start=1.52, end=1.96)  # a wide vowel
    samples = np.concatenate([word, np.zeros(8000, np.float32)])
    frames = SwapTalk(ModelBundle.from_pretrained(), analyser).frames(
        target=make_clip(frames=3),
        source=other_photo if order == "sync-first" else (),
        audio=make_wav(samples=samples),
        extend="freeze",
        order=order,
    )
    tracker = analyser.tracker()
    opened = [mouth_openness(tracker.update(one).faces[0].landmarks.points) for one in frames]
    assert len(opened) == 24
    assert max(opened[3:11]) > max(opened[18:]) + 0.03


def test_order_matters_where_both_steps_are_done_and_nowhere_else(
    unmarked: SwapTalk, make_clip, make_wav, other_photo: Path
) -> None:
    target, audio = make_clip(frames=4), make_wav(0.16)

    def made(order: str, **job: object) -> NDArray[np.uint8]:
        return np.stack(list(unmarked.frames(target=target, order=order, **job)))

    both = {"source": other_photo, "audio": audio, "lips": "latent"}
    first, last = made("swap-first", **both), made("sync-first", **both)
    assert first.shape == last.shape
    # The stand-in's swap takes back the mean that its lip-sync has raised, if it comes last.
    assert np.mean([change(a, b) for a, b in zip(first, last, strict=True)]) > UNTOUCHED
    for job in ({"source": other_photo}, {"audio": audio}):
        assert np.array_equal(made("swap-first", **job), made("sync-first", **job))


def test_frames_without_a_face_pass_untouched_and_are_counted(
    maker: SwapTalk, make_clip, make_wav, other_photo: Path, tmp_path: Path
) -> None:
    target = make_clip(frames=16, faceless=range(5, 9))
    report = maker.generate(
        source=other_photo, target=target, audio=make_wav(0.64), output=tmp_path / "out.mp4"
    )
    made, shown = read(tmp_path / "out.mp4"), read(target)
    assert report is not None
    assert report.frames == len(made) == 16
    assert sum(report.passed_through.values()) == 16 - report.changed >= 4
    assert set(report.passed_through) == {"no face"}
    for index in range(5, 9):
        assert change(made[index], shown[index]) < UNTOUCHED
    assert change(made[2], shown[2]) > 2 * UNTOUCHED


@pytest.mark.parametrize(
    ("settings", "frames"),
    [
        ({}, 15),
        ({"length": "video"}, 6),
        ({"length": "shortest"}, 6),
        ({"length": "video", "end": 0.16}, 4),
        ({"fps": "50"}, 30),
        ({"start": 0.08, "length": "shortest"}, 4),
    ],
)
def test_length_policies(
    maker: SwapTalk, make_clip, make_wav, tmp_path: Path, settings: dict, frames: int
) -> None:
    report = maker.generate(
        target=make_clip(frames=6), audio=make_wav(0.6), output=tmp_path / "out.mp4", **settings
    )
    assert report is not None and report.frames == frames
    info = probe(tmp_path / "out.mp4")
    assert info.video is not None and info.audio is not None
    assert info.video.frame_count_estimate == frames
    assert abs(info.audio.duration - frames / info.video.average_fps) < 0.5 / info.video.average_fps


def test_resolution_and_odd_sizes(maker: SwapTalk, make_wav, photo: Path, tmp_path: Path) -> None:
    picture = read_image(photo)[20:381, 60:461]  # 361 x 401
    write_image(tmp_path / "odd.png", picture)
    report = maker.generate(
        target=tmp_path / "odd.png", audio=make_wav(0.08), output=tmp_path / "out.mp4"
    )
    assert report is not None and (report.width, report.height, report.frames) == (401, 361, 2)
    report = maker.generate(
        target=tmp_path / "odd.png",
        audio=make_wav(0.08),
        output=tmp_path / "out.mp4",
        resolution="180",
    )
    video = probe(tmp_path / "out.mp4").video
    assert video is not None and (video.width, video.height) == (200, 180)


def test_a_photo_can_be_swapped_into_a_photo(
    maker: SwapTalk, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    report = maker.generate(source=other_photo, target=photo, output=tmp_path / "out.png")
    assert report is not None and report.frames == report.changed == 1
    assert read_image(tmp_path / "out.png").shape == read_image(photo).shape
    assert change(read_image(tmp_path / "out.png"), read_image(photo)) > UNTOUCHED


def test_strength_nought_keeps_the_face(
    maker: SwapTalk, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    for strength in (0.0, 1.0):
        maker.generate(
            source=other_photo,
            target=photo,
            output=tmp_path / f"{strength:g}.png",
            strength=strength,
        )
    before = cv2.GaussianBlur(read_image(photo), (0, 0), 8)  # the stand-in's decoder blurs
    kept, full = (cv2.GaussianBlur(read_image(tmp_path / f"{s}.png"), (0, 0), 8) for s in "01")
    assert change(kept, before) < change(full, before)


def test_several_photos_of_the_source_serve_together(
    maker: SwapTalk,
    networks,
    photo: Path,
    other_photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    identity = networks.identity
    monkeypatch.setattr(
        networks, "identity", lambda latents: seen.append(latents.shape) or identity(latents)
    )
    mirrored = tmp_path / "mirrored.png"
    write_image(mirrored, np.ascontiguousarray(read_image(other_photo)[:, ::-1]))
    maker.generate(source=(other_photo, mirrored), target=photo, output=tmp_path / "out.png")
    assert seen == [(2, 3, 16, 16)]


def test_frames_for_those_with_their_own_output(
    maker: SwapTalk, make_clip, make_wav, tmp_path: Path
) -> None:
    target, audio = make_clip(frames=4), make_wav(0.4)
    frames = maker.frames(target=target, audio=audio)
    first = next(iter(frames))
    assert first.shape == (144, 160, 3) and first.dtype == np.uint8
    assert len(list(frames)) == 9
    assert len(list(tmp_path.iterdir())) == 2  # nothing is left beside the inputs


def test_an_error_ends_all_stages(
    maker: SwapTalk, make_clip, make_wav, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(marks: OutputMarker, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OutputMarker, "apply", full)
    with pytest.raises(OSError, match="No space left") as caught:
        list(maker.frames(target=make_clip(frames=20), audio=make_wav(0.8)))
    # Though the error, and with it the frames of its traceback, is still there:
    assert caught.tb is not None
    assert not {thread.name for thread in threading.enumerate()} & {
        "decode",
        "networks",
        "composite",
    }


def test_networks_that_cannot_be_loaded_are_said(
    maker: SwapTalk, networks, make_clip, make_wav, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are loaded in a thread of their own, whose failure is the job's."""

    def load(*graphs: str) -> None:
        raise InputError("a graph is damaged", remedy="install it again")

    monkeypatch.setattr(networks, "load", load)
    output = tmp_path / "out.mp4"
    with pytest.raises(InputError, match="graph is damaged"):
        maker.generate(target=make_clip(frames=3), audio=make_wav(0.2), output=output)
    assert not output.exists()
