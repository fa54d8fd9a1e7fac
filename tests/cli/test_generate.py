"""The verbs generate, swap and sync as a user calls them, with the weights of the package."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from swaptalk.cli.main import main
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.media.image import read_image
from swaptalk.media.probe import probe

from ..waiting import until


@pytest.fixture(scope="module")
def weights() -> list[str]:
    """Options that name the weights; a folder of other ones may be given in
    SWAPTALK_TEST_WEIGHTS."""
    other = os.environ.get("SWAPTALK_TEST_WEIGHTS")
    if other is None and not (default_directory() / BUNDLE_NAME).exists():
        pytest.skip("this checkout has no weights")
    return [] if other is None else ["--models", other]


def test_generate(
    weights: list[str],
    make_clip,
    make_wav,
    other_photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, stats = tmp_path / "out.mp4", tmp_path / "stats.json"
    code = main(
        [
            "generate",
            "--source",
            str(other_photo),
            "--target",
            str(make_clip(frames=4)),
            "--audio",
            str(make_wav(0.24)),
            "--output",
            str(output),
            "--stats",
            str(stats),
            *weights,
        ]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    assert said.out.startswith(f"{output}: 6 frames; ")
    video = probe(output).video
    assert video is not None and video.frame_count_estimate == 6
    assert json.loads(stats.read_text())["changed"] == 6


def test_swap_and_sync_with_json(
    weights: list[str],
    make_wav,
    photo: Path,
    other_photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = str(tmp_path / "out.png")
    swap = ["swap", "--source", str(other_photo), "--target", str(photo), "--output", output]
    assert main([*swap, "--json", *weights]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == output
    assert (
        main(
            [
                "sync",
                "--target",
                str(photo),
                "--audio",
                str(make_wav(0.08)),
                "--output",
                str(tmp_path / "out.mp4"),
                "--resolution",
                "200",
                "--quiet",
                *weights,
            ]
        )
        == 0
    )
    assert capsys.readouterr().out == ""
    video = probe(tmp_path / "out.mp4").video
    assert video is not None and video.height == 200


def test_list_faces(
    weights: list[str], photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "faces.png"
    assert main(["generate", "--target", str(photo), "--list-faces", str(sheet), *weights]) == 0
    assert "--face 1: in 1 frames" in capsys.readouterr().out
    assert read_image(sheet).shape[1] == 192


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generate", "--target", "a.mp4", "--output", "b.mp4"], "--source is missing"),
        (
            ["generate", "--target", "a.mp4", "--output", "b.mp4", "--source", "c.png"],
            "--audio is missing",
        ),
        (["swap", "--target", "a.mp4", "--output", "b.mp4"], "--source is missing"),
        (["sync", "--target", "a.mp4", "--output", "b.mp4"], "--audio is missing"),
        (["sync", "--target", "a.mp4", "--audio", "c.wav"], "--output OUT.mp4"),
        (
            ["sync", "--target", "a.mp4", "--audio", "c.wav", "--output", "b.mp4", "--fps", "x"],
            "--fps x is not a number",
        ),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error


def test_missing_file_is_one_line_and_code_2(
    weights: list[str], tmp_path: Path, make_wav, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        [
            "sync",
            "--target",
            str(tmp_path / "no.mp4"),
            "--audio",
            str(make_wav()),
            "--output",
            str(tmp_path / "out.mp4"),
            *weights,
        ]
    )
    assert code == 2
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(f"{tmp_path / 'no.mp4'}: no such file; check the path")
    )


def heed_interrupts() -> None:
    """A shell's background jobs, tests among them, begin with Ctrl-C ignored, and so would what
    they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started_sync(target: Path, audio: Path, output: Path, *options: str) -> subprocess.Popen[str]:
    """The command, in the middle of its work: its first chunk lies there."""
    command = [
        sys.executable,
        "-m",
        "swaptalk.cli",
        "sync",
        "--target",
        str(target),
        "--audio",
        str(audio),
        "--output",
        str(output),
        *options,
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    parts = Path(f"{output}.job") / "chunks"
    until(lambda: bool(list(parts.glob("*.mp4"))) or process.poll() is not None)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_leaves_no_half_file_and_says_how_to_resume(
    weights: list[str], make_clip, make_wav, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    process = started_sync(make_clip(frames=4), make_wav(32), output, "--fps", "2", *weights)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "continue with the same command and --resume" in said
    assert not output.exists() and not list(tmp_path.rglob("*.part"))


def packets(video: Path) -> list[tuple[int, int | None, bytes]]:
    """All encoded pictures and sound with their times."""
    with av.open(str(video)) as container:
        return [
            (packet.stream.index, packet.pts, bytes(packet))
            for packet in container.demux()
            if packet.size
        ]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_kill_9_and_resume_give_the_same_video_bit_by_bit(
    weights: list[str], make_clip, make_wav, tmp_path: Path
) -> None:
    target, audio, output, whole = (
        make_clip(frames=4),
        make_wav(32),
        tmp_path / "out.mp4",
        tmp_path / "whole.mp4",
    )
    process = started_sync(target, audio, output, "--fps", "2", *weights)  # chunks of 20 frames
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not output.exists()
    options = ["--target", str(target), "--audio", str(audio), "--fps", "2", "--quiet", *weights]
    stats = tmp_path / "stats.json"
    assert main(["sync", *options, "--output", str(output), "--resume", "--stats", str(stats)]) == 0
    assert json.loads(stats.read_text())["resumed_frames"] in (20, 40, 60)
    assert main(["sync", *options, "--output", str(whole)]) == 0
    assert packets(output) == packets(whole) and len(packets(whole)) > 64
    assert not Path(f"{output}.job").exists() and not list(tmp_path.glob("*.part"))


def test_an_input_that_changed_is_one_line_without_advice_to_resume(
    weights: list[str], make_clip, make_wav, tmp_path: Path
) -> None:
    target, output = make_clip(frames=4), tmp_path / "out.mp4"
    process = started_sync(target, make_wav(32), output, "--fps", "2", *weights)
    target.write_bytes(target.read_bytes()[:-1] + b"x")
    said = process.communicate()[1]
    assert process.returncode == 2 and not output.exists()
    assert said.splitlines()[-1].endswith(
        "changed while the job was reading it; let nobody write to it, and start the "
        "job anew without --resume"
    )
    assert "to go on" not in said


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--help"]) == 0
    text = capsys.readouterr().out
    for option in (
        "--source",
        "--target",
        "--audio",
        "--output",
        "--face",
        "--length",
        "--resume",
        "--stats",
        "--fps",
    ):
        assert option in text
    assert "play the video back and forth" in " ".join(text.replace("│", " ").split())


def test_template_build_info_preview_and_use(
    weights: list[str],
    make_clip,
    other_photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    template, sheet, output = (
        str(tmp_path / name) for name in ("T.swaptalk", "sheet.png", "out.mp4")
    )
    assert (
        main(["template", "build", str(make_clip(frames=4)), "-o", template, "--embed", *weights])
        == 0
    )
    assert "4 frames of 160x144 at 25 a second, 4 with a face" in capsys.readouterr().out
    assert main(["template", "info", template]) == 0
    said = capsys.readouterr().out
    assert "in the template" in said and "all checksums match" in said
    assert main(["template", "preview", template, "-o", sheet]) == 0
    assert (
        main(
            [
                "swap",
                "--source",
                str(other_photo),
                "--target",
                template,
                "--output",
                output,
                *weights,
            ]
        )
        == 0
    )
    video = probe(Path(output)).video
    assert video is not None and video.frame_count_estimate == 4
    capsys.readouterr()
    assert (
        main(
            [
                "swap",
                "--source",
                str(other_photo),
                "--target",
                template,
                "--output",
                output,
                "--end",
                "0.1",
                *weights,
            ]
        )
        == 2
    )
    assert (
        "--end 0.1 differs from the template's (the target's end); leave out --end"
        in capsys.readouterr().err
    )


def test_a_template_says_which_source_is_built_in(
    weights: list[str],
    make_clip,
    other_photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    template, output = str(tmp_path / "T.swaptalk"), str(tmp_path / "out.mp4")
    build = ["template", "build", str(make_clip(frames=4)), "-o", template, *weights]
    assert main(build) == 0 and main(["template", "info", template]) == 0
    assert "source   none built in" in capsys.readouterr().out
    person = ["--source", str(other_photo), "--strength", "0.5", "--shape", "0.25"]
    assert main([*build, *person, "--json"]) == 0
    swap = json.loads(capsys.readouterr().out)["swap"]
    assert swap["strength"] == 0.5 and swap["shape"] == 0.25
    assert other_photo.name not in json.dumps(swap)
    assert main(["template", "info", template]) == 0
    said = capsys.readouterr().out
    assert f"source   1 photo, SHA-256 {swap['photos'][0][:12]}; strength 0.5; " in said
    job = ["swap", *person, "--target", template, "--output", output, "--json", *weights]
    assert main([*job, "--no-restoration"]) == 0  # without it the photo need not be read
    assert "source" not in json.loads(capsys.readouterr().out)["stages"]
    assert main([*build, "--source", str(tmp_path / "none.jpg")]) == 2
    assert "none.jpg: no such file" in capsys.readouterr().err
    assert main([*build, "--no-detail"]) == 2
    assert "--no-detail changes nothing in a template" in capsys.readouterr().err
