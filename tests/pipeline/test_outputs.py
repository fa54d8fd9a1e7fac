"""Every container that can be written, crops, thumbnails and transparency, on real footage."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from swaptalk.errors import InputError
from swaptalk.media.audio import read_audio
from swaptalk.media.mux import AudioSource, FurtherSound, mux
from swaptalk.media.probe import probe
from swaptalk.media.subtitles import Cue, SubtitleTrack, further_tracks, track_cues
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.option_values import view_size
from swaptalk.provenance.manifest_read import read_manifest

KINDS = {
    ".webm": ("vp9", "opus"),
    ".mov": ("prores", "pcm_s16le"),
    ".gif": ("gif", None),
    ".webp": ("webp", None),
}


@pytest.mark.parametrize("suffix", KINDS)
def test_containers(maker: SwapTalk, make_clip, make_wav, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    report = maker.generate(target=make_clip(frames=6), audio=make_wav(0.4), output=output)
    assert report is not None and report.frames == 10
    info, (video, sound) = probe(output), KINDS[suffix]
    assert info.video is not None and info.video.codec.startswith(video)
    assert (info.video.width, info.video.height, info.video.average_fps) == (160, 144, 25)
    with VideoReader(output) as reader:
        assert len(list(reader.frames())) == 10
    if sound is None:
        assert info.audio is None and any("has no sound" in note for note in report.notes)
    else:
        assert info.audio is not None and info.audio.codec == sound
        assert len(read_audio(output, 48000)) == round(0.4 * 48000)
    manifest = read_manifest(output, ())
    if suffix == ".webm":
        assert manifest is None
        assert any("cannot hold a signed manifest" in note for note in report.notes)
    else:
        assert manifest is not None and manifest.valid and manifest.declares_ai


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("out.webm", {"codec": "h264"}, "--codec h264 cannot be held by WebM files"),
        ("out.mp4", {"codec": "prores"}, "--codec prores cannot be held by MP4 files"),
        ("out.gif", {"codec": "h264"}, "--codec h264 for a GIF"),
        ("out.gif", {"quality": "23"}, "--quality 23 is unknown for an animated picture"),
        ("out.mov", {"quality": "23"}, "--quality 23 is unknown"),
        ("out.gif", {"loudness": -16}, "--loudness for a GIF, which has no sound"),
        ("out.gif", {"fps": 60}, "a GIF cannot show 60 frames a second"),
        ("out.webp", {"length": "audio"}, "a WebP of 31.0 s would be huge"),
        ("out.webm", {"certificate": "chain.pem"}, "cannot hold the signature of --certificate"),
        ("out.mp4", {"crop": "9:16", "resolution": 90}, "leaves 50x90 pixels"),
        ("out.mkv", {}, "cannot write a file ending in '.mkv'"),
    ],
)
def test_what_a_container_cannot_hold_is_refused_before_the_work(
    maker: SwapTalk, make_clip, make_wav, tmp_path: Path, name: str, settings: dict, problem: str
) -> None:
    audio = make_wav(31.0 if "length" in settings else 0.4)
    with pytest.raises(InputError, match=problem):
        maker.generate(target=make_clip(), audio=audio, output=tmp_path / name, **settings)
    assert not list(tmp_path.glob("out*"))


def test_view_sizes() -> None:
    assert view_size(None, 1281, 721) == (1281, 721)
    assert view_size("9:16", 1280, 720) == (404, 720)
    assert view_size("1:1", 1920, 1080) == (1080, 1080)
    assert view_size("16:9", 1080, 1920) == (1080, 606)
    assert view_size("9:16", 1080, 1920) == (1080, 1920)


def test_a_crop_follows_the_face_and_the_thumbnail_is_of_it(
    maker: SwapTalk, portrait: np.ndarray, make_wav, tmp_path: Path
) -> None:
    """The portrait crosses a wide, grey scene from left to right."""
    target = tmp_path / "wide.mp4"
    with VideoWriter(target, 480, 160, 25, quality=12) as writer:
        for index in range(50):
            scene = np.full((160, 480, 3), 90, np.uint8)
            scene[:, 6 * index : 6 * index + portrait.shape[1]] = portrait
            writer.write(scene)
    output, thumbnail = tmp_path / "out.mp4", tmp_path / "still.png"
    report = maker.generate(
        target=target, audio=make_wav(2.0), crop="1:1", output=output, thumbnail=thumbnail
    )
    assert report is not None and (report.width, report.height) == (160, 160)
    with VideoReader(output) as reader:
        frames = list(reader.frames())
    # Grey, left and right of the portrait, in every frame: the face stays near the middle.
    for frame in frames:
        grey = (np.abs(frame.astype(int) - 90).max(axis=(0, 2)) < 12).nonzero()[0]
        assert len(grey) < 60
    still = np.asarray(Image.open(thumbnail).convert("RGB"))
    nearest = min(np.abs(still.astype(int) - frame).mean() for frame in frames)
    assert still.shape == (160, 160, 3) and nearest == 0
    manifest = read_manifest(thumbnail, ())
    assert manifest is not None and manifest.valid


def test_prores_keeps_the_targets_transparency(
    maker: SwapTalk, portrait: np.ndarray, make_wav, tmp_path: Path
) -> None:
    target, height, width = tmp_path / "cut-out.mov", *portrait.shape[:2]
    alpha = np.full((height, width), 255, np.uint8)
    alpha[:20], alpha[20:40] = 0, 128
    with VideoWriter(target, width, height, 25, "prores", alpha=True) as writer:
        for _ in range(4):
            writer.write(np.dstack([portrait, alpha]))
    output = tmp_path / "out.mov"
    report = maker.generate(target=target, audio=make_wav(0.24), output=output)
    assert report is not None and not any("transparent" in note for note in report.notes)
    with av.open(str(output)) as container:
        frames = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.pix_fmt.startswith("yuva444p")
    assert len(frames) == 6
    for frame in frames:
        np.testing.assert_allclose(frame[..., 3], alpha, atol=2)
        # The white that the pipeline sees behind half transparent parts is taken out again.
        half = frame[24:36, :, :3].astype(int) - portrait[24:36]
        assert np.abs(half).mean() < 4
    report = maker.generate(target=target, audio=make_wav(0.24), output=tmp_path / "out.mp4")
    assert report is not None and any("transparent parts" in note for note in report.notes)


SRT = "1\n00:00:00,080 --> 00:00:00,200\nHello\n\n2\n00:00:09,000 --> 00:00:10,000\nLate\n"


def test_subtitles_as_a_track_beside_and_in_the_picture(
    maker: SwapTalk, make_clip, make_wav, tmp_path: Path
) -> None:
    subtitles = tmp_path / "words.srt"
    subtitles.write_text(SRT)
    inputs = {"target": make_clip(frames=8), "audio": make_wav(0.32), "subtitles": subtitles}

    def frames(name: str, kind: str) -> list[np.ndarray]:
        report = maker.generate(**inputs, subtitles_as=kind, output=tmp_path / name)
        assert report is not None
        assert any("1 subtitles after the end" in note for note in report.notes)
        with VideoReader(tmp_path / name) as reader:
            return list(reader.frames())

    plain, drawn = frames("track.mp4", "track"), frames("burn.mp4", "burn")
    (track,) = further_tracks(tmp_path / "track.mp4")
    assert track_cues(tmp_path / "track.mp4", track) == (Cue(0.08, 0.2, "Hello"),)
    assert further_tracks(tmp_path / "burn.mp4") == ()
    low = slice(110, 140)
    pairs = zip(plain, drawn, strict=True)
    changed = [np.abs(a[low].astype(int) - b[low]).max() > 80 for a, b in pairs]
    assert changed == [False, False, True, True, True, False, False, False]
    frames("beside.mp4", "beside")
    assert (tmp_path / "beside.srt").read_text() == SRT


def test_further_tracks_of_the_target_are_kept(
    maker: SwapTalk, make_clip, make_wav, tmp_path: Path
) -> None:
    target = tmp_path / "target.mp4"
    mux(
        [make_clip("silent.mp4", frames=10)],
        AudioSource(make_wav(0.4, "one.wav")),
        target,
        25,
        further=[FurtherSound(AudioSource(make_wav(0.4, "two.wav")), "fra")],
        subtitles=[SubtitleTrack((Cue(0.1, 0.3, "Bonjour"),), "fra")],
    )
    made = {"target": target, "audio": make_wav(0.2), "start": 0.2}
    report = maker.generate(**made, output=tmp_path / "without.mp4")
    assert report is not None and any("subtitle track is left out" in one for one in report.notes)
    maker.generate(**made, keep_tracks=True, output=tmp_path / "with.webm")
    sound, text = further_tracks(tmp_path / "with.webm")
    assert (sound.kind, sound.codec, sound.language) == ("audio", "opus", "fra")
    assert [(cue.start, round(cue.end, 3)) for cue in track_cues(tmp_path / "with.webm", text)] == [
        (0.0, 0.1)
    ]
    with pytest.raises(InputError, match="--keep-tracks for a GIF, which has no tracks"):
        maker.generate(**made, keep_tracks=True, output=tmp_path / "out.gif")
