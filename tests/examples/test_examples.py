"""The examples run on a part of the demo's inputs and make what they promise."""

from __future__ import annotations

import importlib.util
import json
import sys
import wave
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from swaptalk.media.audio import read_audio
from swaptalk.media.image import read_image
from swaptalk.media.mux import AudioSource, mux
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.target import resized

ROOT = Path(__file__).parents[2]
DEMO, EXAMPLES = ROOT / "demo", ROOT / "examples"
PHOTO = DEMO / "source.jpg"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def frames(path: Path) -> np.ndarray:
    with VideoReader(path) as video:
        return np.stack(list(video.frames())).astype(np.int16)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of the demo's target at 25 frames a second and 480 x 360."""
    path = tmp_path_factory.mktemp("scene") / "scene.mp4"
    with VideoReader(DEMO / "target.mp4") as video, VideoWriter(path, 480, 360, 25) as writer:
        for frame in video.frames(range(12)):
            writer.write(resized(frame, 480, 360))
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A word of the demo's recording, 0.4 s."""
    path = tmp_path_factory.mktemp("words") / "hello.wav"
    samples = read_audio(DEMO / "speech.opus")[5600:12000]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def test_swap(scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.mp4"
    example("swap").main(["--source", str(PHOTO), "--target", str(scene), "--output", str(output)])
    assert "12 frames" in capsys.readouterr().out
    change = np.abs(frames(output) - frames(scene)).mean(axis=(0, 3))
    assert change[60:280, 150:330].mean() > 3 * change[:, 400:].mean()  # the face, not the wall


def test_talk(scene: Path, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.mp4"
    arguments = ["--target", str(scene), "--audio", str(words), "--output", str(output)]
    example("talk").main([*arguments, "--consent", "Nobody is shown."])
    assert "marked as made with AI" in capsys.readouterr().out
    assert len(frames(output)) == 10


def test_a_wrong_file_ends_in_one_line(tmp_path: Path, words: Path) -> None:
    missing, output = tmp_path / "missing.mp4", tmp_path / "out.mp4"
    with pytest.raises(SystemExit, match="missing.mp4"):
        example("talk").main(
            ["--target", str(missing), "--audio", str(words), "--output", str(output)]
        )
    assert not output.exists()


def test_template_for_many(scene: Path, words: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["--target", str(scene), "--source", str(PHOTO), "--output", str(output)]
    example("template_for_many").main([*arguments, str(words)])
    assert {path.name for path in output.iterdir()} == {"scene.swaptalk", "hello.mp4"}
    before = (output / "hello.mp4").read_bytes()
    example("template_for_many").main([*arguments, str(words)])
    assert (output / "hello.mp4").read_bytes() == before


def test_live(scene: Path, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    histogram = tmp_path / "latency.png"
    arguments = ["--target", str(scene), "--audio", str(words), "--show", "nothing"]
    example("live").main([*arguments, "--histogram", str(histogram)])
    assert capsys.readouterr().out.startswith("10 frames")
    assert read_image(histogram).shape == (300, 640, 3)


def test_virtual_camera(
    scene: Path,
    words: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    run = example("virtual_camera").main
    inputs = ["--target", str(scene), "--source", str(PHOTO), "--audio", str(words)]
    frames_file = tmp_path / "frames.rgb"
    run([*inputs, "--raw", str(frames_file)])
    assert capsys.readouterr().err.startswith("10 frames")
    made = np.fromfile(frames_file, np.uint8).reshape(10, 360, 480, 3).astype(np.int16)
    change = np.abs(made - frames(scene)[:10]).mean(axis=(0, 3))
    assert change[60:280, 150:330].mean() > 3 * change[:, 400:].mean()  # the face, not the wall
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)  # as if it were not installed
    with pytest.raises(SystemExit, match="pip install pyvirtualcam, or .* --raw"):
        run(inputs)


def test_a_virtual_camera_without_a_driver_ends_in_one_line(
    scene: Path, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyvirtualcam", reason="pyvirtualcam is not installed")
    monkeypatch.syspath_prepend(EXAMPLES)
    inputs = ["--target", str(scene), "--audio", str(words)]
    nowhere = tmp_path / "video9"
    with pytest.raises(SystemExit, match="no virtual camera .*video9.* v4l2loopback"):
        example("virtual_camera").main([*inputs, "--device", str(nowhere)])


def test_evaluate_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="the extra 'eval' is not installed")
    from swaptalk.cli.main import main

    clips, photos, report = tmp_path / "clips", tmp_path / "photos", tmp_path / "report"
    clips.mkdir()
    photos.mkdir()
    (photos / "nobody.jpg").write_bytes(PHOTO.read_bytes())
    silent = tmp_path / "silent.mp4"
    with VideoReader(DEMO / "target.mp4") as video, VideoWriter(silent, 320, 240, 25) as writer:
        for frame in video.frames(range(52)):
            writer.write(resized(frame, 320, 240))
    mux([silent], AudioSource(DEMO / "speech.opus"), clips / "woman.mp4", 25)
    program = f"{sys.executable} {EXAMPLES / 'evaluate_another.py'}"
    command = f"Mine={program} {{source}} {{target}} {{audio}} {{output}}"
    arguments = ["--clips", clips, "--photos", photos, "--output", report, "--command", command]
    limits = ["--protocols", "self", "--rows", "ground-truth", "--every", "26", "--videos", "0"]
    assert main(["evaluate", *map(str, arguments), *limits, "--quiet"]) == 0
    assert "Mine" in capsys.readouterr().out
    table = {
        row["method"]: row["metrics"]
        for row in json.loads((report / "report.json").read_text())["table"]
    }
    assert table["Mine"]["lmd"]["value"] < 1
    assert table["Mine"]["ssim"]["value"] > 0.95
