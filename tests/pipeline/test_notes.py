"""What is done to inputs unasked is said in a line, and what is not done is not said."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.media.image import read_image, read_still, write_image
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.plan import make_plan
from swaptalk.pipeline.progress import Progress

from ..beards import bearded
from .conftest import PoolingNetworks


class Notebook(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def notes_of(target: Path, **settings: object) -> tuple[str, ...]:
    settings.setdefault("output", target.with_name("out.mp4"))
    return make_plan(GenerateOptions(target=target, **settings)).notes


@pytest.mark.parametrize(
    ("own", "raised"),
    [(1, 25), (6, 25), (12, 25), (15, 25), (20, 20), (Fraction(24000, 1001), None), (120, 120)],
)
def test_rates_too_low_for_speech_are_raised(
    make_clip, make_wav, tmp_path: Path, own: Fraction, raised: int | None
) -> None:
    """Only where somebody speaks, and only if no rate is asked for; a high rate stays."""
    target, words = make_clip(frames=8, fps=own), make_wav(0.48)
    options = GenerateOptions(target=target, audio=words, output=tmp_path / "o.mp4", length="audio")
    plan = make_plan(options)
    assert plan.fps == (own if raised is None else raised)
    assert plan.frames == int(Fraction(48, 100) * plan.fps + Fraction(1, 2))
    assert any("too low for speech" in note for note in plan.notes) == (plan.fps != own)
    silent = make_plan(GenerateOptions(target=target), "faces")
    assert silent.fps == own
    asked = make_plan(GenerateOptions(target=target, audio=words, output=options.output, fps="10"))
    assert asked.fps == 10 and not any("too low" in note for note in asked.notes)


def test_raised_rate_in_the_video(maker: SwapTalk, make_clip, make_wav, tmp_path: Path) -> None:
    """Each picture of a clip of 5 a second is shown five times, its mouth moving on."""
    target, output = make_clip(frames=4, fps=5), tmp_path / "out.mp4"
    report = maker.generate(target=target, audio=make_wav(0.8), output=output)
    assert report is not None and report.frames == 20 and report.frame_rate == "25"
    assert "5 a second is too low" in report.notes[0] and "25" in report.notes[0]
    info = probe(output).video
    assert info is not None and info.average_fps == 25
    with VideoReader(output) as made, VideoReader(target) as shown:
        pictures = list(shown.frames())
        for index, frame in enumerate(made.frames()):
            borders = [np.abs(frame[:20].astype(int) - one[:20]).mean() for one in pictures]
            assert int(np.argmin(borders)) == index // 5


def test_a_template_has_the_raised_rate(
    maker: SwapTalk, make_clip, make_wav, tmp_path: Path
) -> None:
    """Through it comes what comes without it."""
    target, words = make_clip(frames=3, fps=6), make_wav(0.4)
    template = maker.build_template(target, tmp_path / "scene.swaptalk")
    assert template.header.rate == 25
    for given, name in ((target, "a.mp4"), (template.path, "b.mp4")):
        report = maker.generate(target=given, audio=words, output=tmp_path / name)
        assert report is not None and report.frames == 10
    with VideoReader(tmp_path / "a.mp4") as direct, VideoReader(tmp_path / "b.mp4") as compiled:
        for one, other in zip(direct.frames(), compiled.frames(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_beard_that_goes_is_told(
    analyser: FaceAnalyser,
    networks: PoolingNetworks,
    make_clip,
    other_photo: Path,
    tmp_path: Path,
) -> None:
    """By the report, and while frames or a template are made, with the names of both files."""
    image = read_image(other_photo)
    face = analyser.faces(image)[0]
    alignment = estimate_alignment(face.xy)
    drawn = bearded(crop_face(image, alignment), alignment.to_crop(face.points))
    write_image(photo := tmp_path / "bearded.png", drawn)
    told = Notebook()
    maker, target = SwapTalk(networks, analyser, told), make_clip(frames=2)
    maker.build_template(target, tmp_path / "scene.swaptalk", source=photo)
    for source in (photo, other_photo):
        output = tmp_path / f"{source.stem}.mp4"
        report = maker.generate(source=source, target=target, output=output)
        assert report is not None
        beards = [note for note in report.notes if "the beard is shaved off" in note]
        assert len(beards) == (source == photo)
        assert all(str(target) in note and str(photo) in note for note in beards)
    assert sum("the beard is shaved off" in note for note in told.said) == 2


def test_words_and_video_of_other_lengths(make_clip, make_wav) -> None:
    target, words = make_clip(frames=50), make_wav(3.0)
    (said,) = notes_of(target, audio=words, end=1.0)
    assert "1.0 s of video for 3.0 s of words" in said and "back and forth" in said
    (said,) = notes_of(target, audio=words, extend="freeze")
    assert "last picture is held" in said
    (said,) = notes_of(target, audio=words, length="video")
    assert "1.0 s after the end of the video are left out" in said and str(words) in said
    (said,) = notes_of(target, audio=make_wav(0.5, "short.wav"))
    assert "1.5 s after the end of the words are left out" in said
    (said,) = notes_of(target, audio=make_wav(0.5, "short.wav"), length="video")
    assert "silence for 1.5 s" in said
    assert notes_of(target, audio=make_wav(2.05, "fits.wav")) == ()


def mkv(path: Path, sounds: list[str], subtitles: bool, size: tuple[int, int] = (64, 48)) -> Path:
    """A video with sound tracks of these layouts, and subtitles."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = *size, "yuv444p"
        audio = [container.add_stream("flac", rate=8000, layout=layout) for layout in sounds]
        if subtitles:
            words = path.with_suffix(".srt")
            words.write_text("1\n00:00:00,000 --> 00:00:00,500\nwords\n")
            with av.open(str(words)) as text:
                line = next(text.demux())
                text_stream = container.add_stream_from_template(text.streams[0])
        for number in range(25):
            frame = av.VideoFrame(*size, "yuv444p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        for stream, layout in zip(audio, sounds, strict=True):
            channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
            piece = av.AudioFrame.from_ndarray(
                np.zeros((1, 8000 * channels), np.int16), format="s16", layout=layout
            )
            piece.sample_rate, piece.pts, piece.time_base = 8000, 0, Fraction(1, 8000)
            container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
        if subtitles:
            line.stream = text_stream
            container.mux(line)
        container.mux(video.encode(None))
    return path


def test_tracks_that_are_left_out(make_wav, tmp_path: Path, photo: Path) -> None:
    plain = mkv(tmp_path / "plain.mkv", ["stereo"], False)
    assert notes_of(plain, source=photo) == ()
    full = mkv(tmp_path / "full.mkv", ["5.1", "stereo", "mono"], True)
    said = notes_of(full, source=photo)
    assert said == (
        f"{full}: 2 sound tracks and 1 subtitle track are left out",
        f"{full}: 6 channels of sound are mixed down to 2",
    )
    said = notes_of(full, audio=make_wav(1.0))
    assert said == (f"{full}: 1 subtitle track is left out",)
    recording = notes_of(plain, audio=full)
    assert recording == (
        f"{full}: 2 sound tracks are left out",
        f"{full}: 6 channels of sound are mixed down to 2",
    )
    odd = mkv(tmp_path / "odd.mkv", [], False, (65, 47))
    assert notes_of(odd, source=photo) == (f"{odd}: 65x47 grows to 66x48, as video has even sizes",)


@pytest.fixture
def cut_out(tmp_path: Path, photo: Path) -> Path:
    """A portrait whose corners are transparent, with a soft edge."""
    from PIL import Image

    picture = read_image(photo)[0:512, 0:512]
    y, x = np.mgrid[0:512, 0:512]
    alpha = np.clip((240 - np.hypot(x - 256, y - 256)) * 8, 0, 255).astype(np.uint8)
    path = tmp_path / "cut.png"
    Image.fromarray(np.dstack([picture, alpha])).save(path)
    return path


def test_png_keeps_its_transparency(
    maker: SwapTalk, cut_out: Path, other_photo: Path, tmp_path: Path
) -> None:
    """Alpha is as it was; laid over white again, only the face has changed."""
    output = tmp_path / "out.png"
    report = maker.generate(source=other_photo, target=cut_out, output=output)
    assert report is not None and report.notes == ()
    before, after = read_still(cut_out), read_still(output)
    shown, alpha, made, kept = before.picture, before.alpha, after.picture, after.alpha
    assert alpha is not None and kept is not None
    np.testing.assert_array_equal(kept, alpha)
    edge = (alpha > 0) & (alpha < 255)
    assert edge.sum() > 1000
    assert np.abs(made[edge].astype(int) - shown[edge]).mean() < 3  # the watermark
    assert np.abs(made[150:350, 200:320].astype(int) - shown[150:350, 200:320]).mean() > 5


def test_other_outputs_show_white_and_say_so(
    maker: SwapTalk, cut_out: Path, other_photo: Path, tmp_path: Path, make_wav
) -> None:
    report = maker.generate(source=other_photo, target=cut_out, output=tmp_path / "out.jpg")
    assert report is not None
    assert report.notes == (
        f"{cut_out}: transparent parts are shown on white; a .png of a photo and a .mov (ProRes) "
        "of a video keep them",
    )
    assert read_image(tmp_path / "out.jpg")[:8, :8].min() > 250
    said = notes_of(cut_out, audio=make_wav(0.4))
    assert len(said) == 1 and "shown on white" in said[0]


def test_written_alpha(tmp_path: Path) -> None:
    """What is written looks on white as it was given."""
    levels = np.arange(256, dtype=np.uint8)
    alpha = np.repeat(levels[None], 256, axis=0)
    ink = np.stack([levels[:, None] * (levels[None] > 0)] * 3, axis=-1).astype(float)
    share = alpha[..., None] / 255
    picture = np.round(ink * share + 255 * (1 - share)).astype(np.uint8)
    write_image(tmp_path / "a.png", picture, alpha)
    seen = read_still(tmp_path / "a.png")
    np.testing.assert_array_equal(seen.alpha, alpha)
    np.testing.assert_allclose(seen.picture.astype(int), picture, atol=1)
    with pytest.raises(ValueError, match="alpha"):
        write_image(tmp_path / "a.jpg", picture, alpha)


def test_notes_come_first_and_stand_in_the_report(
    analyser, networks, make_clip: Callable[..., Path], make_wav, tmp_path: Path
) -> None:
    notebook = Notebook()
    maker = SwapTalk(networks, analyser, notebook)
    stats = tmp_path / "stats.json"
    report = maker.generate(
        target=make_clip(frames=5),
        audio=make_wav(0.6),
        output=tmp_path / "out.mp4",
        stats=stats,
    )
    assert report is not None and len(report.notes) == 1
    assert tuple(notebook.said) == report.notes
    assert json.loads(stats.read_text())["notes"] == list(report.notes)


@pytest.mark.parametrize("length", [248, 255])
def test_long_names_and_links(
    maker: SwapTalk, make_clip, make_wav, tmp_path: Path, length: int
) -> None:
    """A name of 255 bytes is written, and a link is followed; nothing else stays."""
    (tmp_path / "store").mkdir()
    name = "x" * (length - 4) + ".mp4"
    target, words = make_clip(frames=3), make_wav(0.12)
    (tmp_path / "link.mp4").symlink_to(Path("store") / name)
    for output in (tmp_path / name, tmp_path / "link.mp4"):
        assert maker.generate(target=target, audio=words, output=output) is not None
    assert (tmp_path / "link.mp4").is_symlink()
    assert [path.name for path in (tmp_path / "store").iterdir()] == [name]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {name, "link.mp4", "store", target.name, words.name}
