"""What leaves the pipeline carries its marks: the real networks, a real render, the real
command."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.cli.main import main
from swaptalk.errors import SwapTalkError
from swaptalk.media.image import read_image, write_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.api import SwapTalk
from swaptalk.provenance.verify import verify
from swaptalk.provenance.watermark_detect import read_watermark


@pytest.fixture(scope="module")
def real() -> SwapTalk:
    try:
        return SwapTalk.from_pretrained()
    except SwapTalkError as error:
        pytest.skip(f"face models are not to be had: {error}")


@pytest.fixture(scope="module")
def target(other_photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 frames of a person, 640 x 360."""
    path = tmp_path_factory.mktemp("target") / "target.mp4"
    photo = cv2.resize(read_image(other_photo)[:400, 20:], (680, 551), interpolation=cv2.INTER_AREA)
    with VideoWriter(path, 640, 360, 25) as writer:
        for index in range(16):
            writer.write(
                np.ascontiguousarray(
                    photo[10 + index // 4 : 370 + index // 4, index // 2 : 640 + index // 2]
                )
            )
    return path


@pytest.fixture(scope="module")
def rendered(
    real: SwapTalk, target: Path, photo: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("rendered") / "out.mp4"
    real.generate(
        target=target, source=photo, output=output, consent="Both photographs are free.", label=True
    )
    return output


def test_a_real_render_says_what_it_is(rendered: Path, target: Path) -> None:
    result = verify(rendered)
    assert result.ok and result.manifest is not None and result.watermark is not None
    assert result.manifest.valid and result.manifest.own
    assert result.manifest.source_types == ("compositeWithTrainedAlgorithmicMedia",)
    assert [one.relationship for one in result.manifest.ingredients] == ["parentOf", "inputTo"]
    assert result.watermark.text == result.recorded_identifier is not None
    assert result.manifest.assertions["swaptalk.consent"]["text"].startswith("Both photographs")
    assert result.job["label"] == "AI-generated"
    assert {"swaptalk", "face-mesh"} <= set(result.job["weights"])
    assert not verify(target).marked


def test_the_command_judges_for_scripts(
    rendered: Path, target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(rendered)]) == 0
    said = capsys.readouterr().out
    assert "marked as made with AI" in said and "the key of this installation" in said
    assert main(["verify", "--json", str(rendered), str(target)]) == 1
    marked, unmarked = json.loads(capsys.readouterr().out)
    assert (
        marked["ok"]
        and marked["manifest"]["valid"]
        and not unmarked["marked"]
        and unmarked["manifest"] is None
    )
    assert main(["verify", str(rendered), str(tmp_path / "missing.mp4")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_tampered_file_does_not_pass(
    rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(rendered.read_bytes())
    content[-50] ^= 1
    (tmp_path / "tampered.mp4").write_bytes(content)
    assert main(["verify", str(tmp_path / "tampered.mp4")]) == 1
    assert "A MARK DOES NOT HOLD" in capsys.readouterr().out


def test_the_watermark_outlives_the_manifest(rendered: Path, tmp_path: Path) -> None:
    """What platforms do: encode again, dropping all metadata."""
    with (
        VideoReader(rendered) as video,
        VideoWriter(tmp_path / "copy.mp4", 640, 360, 25, quality=23) as writer,
    ):
        for frame in video.frames():
            writer.write(frame)
    result = verify(tmp_path / "copy.mp4")
    assert result.manifest is None and result.ok and result.watermark is not None
    assert result.watermark.text == verify(rendered, pixels=False).recorded_identifier


def test_the_same_job_gives_the_same_pictures_and_identifier(
    maker: SwapTalk, target: Path, photo: Path
) -> None:
    once, again = (list(maker.frames(target=target, source=photo, end=0.2)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(once, again, strict=True))
    other = list(maker.frames(target=target, source=photo, end=0.2, strength=0.9))
    first, second = read_watermark(once).identifier, read_watermark(other).identifier
    assert first is not None and second is not None and first != second


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (True, "switched off for research"),
        (False, "switched off for research with SWAPTALK_RESEARCH_UNMARKED"),
    ],
)
def test_research_switches_the_pictures_marks_off_but_not_the_manifest(
    networks,
    analyser,
    target: Path,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argument: bool,
    reason: str,
) -> None:
    if not argument:
        monkeypatch.setenv("SWAPTALK_RESEARCH_UNMARKED", "1")
    maker = SwapTalk(networks, analyser, unmarked=argument)
    report = maker.generate(
        target=target, source=photo, end=0.2, label=True, output=tmp_path / "out.mp4"
    )
    assert report is not None and report.watermark is None
    result = verify(tmp_path / "out.mp4")
    assert result.manifest is not None and result.manifest.valid and result.manifest.declares_ai
    assert result.watermark is not None and not result.watermark.present
    assert result.job["watermark"] == {
        "present": False,
        "reason": reason,
    }
    assert result.job["label"] is None


def test_photos_and_previews_are_marked(
    maker: SwapTalk, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    person = tmp_path / "person.png"
    write_image(person, read_image(other_photo))
    maker.generate(
        target=person, source=photo, output=tmp_path / "out.png", preview=tmp_path / "preview.png"
    )
    for name in ("out.png", "preview.png"):
        result = verify(tmp_path / name)
        assert result.ok and result.manifest is not None and result.manifest.valid, name
        assert (
            result.watermark is not None and result.watermark.text == result.recorded_identifier
        ), name
