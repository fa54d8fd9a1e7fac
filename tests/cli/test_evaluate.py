"""The verb end to end on two small clips made of public-domain portraits."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")

from swaptalk.assets import catalogue  # noqa: E402
from swaptalk.cli.evaluate import Options, run  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.evaluation import methods  # noqa: E402
from swaptalk.evaluation.inputs import write_wav  # noqa: E402
from swaptalk.evaluation.observe import ClipObservation, Observer  # noqa: E402
from swaptalk.media.image import read_image, write_image  # noqa: E402
from swaptalk.media.mux import AudioSource, mux  # noqa: E402
from swaptalk.media.video_reader import VideoReader  # noqa: E402
from swaptalk.media.video_writer import VideoWriter  # noqa: E402

NEEDED = (
    "blazeface-back",
    "blazeface-full-range",
    "face-mesh",
    "mobilefacenet",
    "mobilenetv2",
    "lpips-alexnet",
    "astronaut",
    "grace-hopper",
)
#: Left, top and side of the face's surroundings in each portrait.
PORTRAITS = {"astronaut": (110, 0, 256), "grace-hopper": (110, 30, 290)}


def portrait(name: str) -> NDArray[np.uint8]:
    return read_image(catalogue.resolve(name, progress=False))


def make_clip(path: Path, name: str, frames: int = 52) -> None:
    """The portrait drifting to the right by half a pixel a frame, with bursts of a tone."""
    image = portrait(name)
    left, top, side = PORTRAITS[name]
    silent, wave = path.with_suffix(".silent.part"), path.with_suffix(".wav.part")
    with VideoWriter(silent, side, side, 25) as writer:
        for index in range(frames):
            x = left - index // 2
            writer.write(np.ascontiguousarray(image[top : top + side, x : x + side]))
    time = np.arange(frames * 640) / 16_000
    write_wav(
        wave,
        (0.3 * np.sin(2 * np.pi * 180 * time) * (time % 1.0 < 0.5)).astype(np.float32),
        len(time),
    )
    mux([silent], AudioSource(wave), path, 25)
    silent.unlink()
    wave.unlink()


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in NEEDED:
        if catalogue.status(catalogue.get(name)) != "ready":
            pytest.skip(f"{name} is not there: 'swaptalk models pull' fetches it")
    folder = tmp_path_factory.mktemp("material")
    (folder / "clips").mkdir()
    (folder / "photos").mkdir()
    for name in PORTRAITS:
        make_clip(folder / "clips" / f"{name}.mp4", name)
        write_image(folder / "photos" / f"{name}.png", portrait(name))
    write_image(folder / "photos" / "wall.png", np.full((64, 64, 3), 128, np.uint8))
    (folder / "clips" / "broken.mp4").write_text("no video")
    return folder


def options(material: Path, output: Path, **changes: object) -> Options:
    copy = (
        "import shutil, sys; open(sys.argv[3], 'a').write('x'); "
        "shutil.copy(sys.argv[1], sys.argv[2])"
    )
    command = f'Copier={sys.executable} -c "{copy}" {{target}} {{output}} {output}.log'
    settings: dict[str, object] = {
        "clips": material / "clips",
        "photos": material / "photos",
        "output": output,
        "protocols": ("self",),
        "rows": ("ground-truth", "composite"),
        "command": (command,),
        "every": 26,
        "videos": 1,
        "quiet": True,
    }
    return Options(**(settings | changes))  # type: ignore[arg-type]


def test_observation_of_a_known_clip(material: Path, tmp_path: Path) -> None:
    seen = Observer(1).clip(material / "clips" / "astronaut.mp4", embed_every=26)
    assert len(seen) == 52 and seen.present.all()
    drift = seen.meshes[50, :, 0].mean() - seen.meshes[0, :, 0].mean()
    assert drift == pytest.approx(25, abs=2.5)
    assert np.isfinite(seen.embeddings[:, 0]).sum() == 2
    seen.save(tmp_path / "seen.npz")
    again = ClipObservation.load(tmp_path / "seen.npz")
    assert np.array_equal(again.meshes, seen.meshes) and again.width == 256
    with pytest.raises(InputError, match="no face was found in any frame"):
        Observer(1).frames([np.full((64, 64, 3), 100, np.uint8)] * 3, Path("grey.mp4"))


def test_whole_run_and_going_on_with_it(
    material: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, log = tmp_path / "out", tmp_path / "out.log"
    assert run(options(material, output)) == 0
    said = capsys.readouterr().out
    assert "left out: broken" in said and "left out: wall: " in said
    report = json.loads((output / "report.json").read_text())
    assert report["clips_measured"] == 2 and report["gallery_size"] == 2
    assert {s["what"] for s in report["skipped"]} == {"broken", "wall"}
    table = {line["method"]: line["metrics"] for line in report["table"]}
    copied, warped = table["Copier"], table["Composite alone"]
    # A copy of the target: perfect pictures and lips, nobody's identity changed.
    assert copied["lmd"]["value"] == pytest.approx(0, abs=1e-6) and copied["ssim"][
        "value"
    ] == pytest.approx(1)
    assert copied["pose_error"]["value"] == pytest.approx(0, abs=1e-6)
    assert copied["id_top1"]["value"] == 0.0 and copied["jitter"]["value"] == pytest.approx(
        0, abs=1e-6
    )
    assert copied["fd_mobilenet"]["value"] == pytest.approx(0, abs=1e-3)
    alone = {c["pair"]: c["metrics"] for c in report["clips"] if c["method"] == "Composite alone"}
    hopper, astronaut = alone["grace-hopper_astronaut"], alone["astronaut_grace-hopper"]
    # Her glasses are not carried over, and count as hers.
    assert hopper["id_top1"] == 100.0 and hopper["source_cosine"] > 0.55
    # Behind the target's hat and glasses source and target are as near, and rounding decides.
    assert astronaut["id_top1"] >= 50.0 and astronaut["source_cosine"] > 0.45
    assert warped["id_top1"]["value"] == (hopper["id_top1"] + astronaut["id_top1"]) / 2
    assert warped["source_cosine"]["value"] > 0.5
    assert 0.4 < warped["ssim"]["value"] < 0.98
    assert (
        "ssim" not in table["Ground truth"] and table["Ground truth"]["consistency"]["value"] > 80
    )
    assert "<video" in (output / "report.html").read_text()
    # Two renders by the command; nothing is rendered or measured again.
    assert log.read_text() == "xx"
    # A copy of the target is lost: its numbers are exact, others may round differently when they
    # are measured again.
    stored = sorted(
        output.rglob("cache/results/**/*.json"), key=lambda path: "copier" not in path.parts
    )
    times = [path.stat().st_mtime_ns for path in stored]
    stored[0].unlink()
    assert run(options(material, output)) == 0
    assert log.read_text() in ("xx", "xxx")  # the one that was lost, if it was the command's
    assert [path.stat().st_mtime_ns for path in stored][1:] == times[1:]
    assert json.loads((output / "report.json").read_text())["table"] == report["table"]
    assert json.loads((output / "report.json").read_text())["skipped"] == report["skipped"]
    # With other code our own videos are made again; those of another program are not.
    with monkeypatch.context() as patch:
        patch.setattr(methods, "code_digest", lambda parts: "changed")
        assert run(options(material, output)) == 0
    anew = [path.stat().st_mtime_ns for path in stored]
    assert {path.parent.name for path, a, b in zip(stored, times, anew, strict=True) if a != b} == {
        stored[0].parent.name,
        "composite-alone",
    }


def test_processes_share_the_work(material: Path, tmp_path: Path) -> None:
    settings = {
        "rows": ("ground-truth", "copy-target"),
        "command": (),
        "protocols": ("self", "cross"),
        "videos": 0,
    }
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert run(options(material, alone, **settings)) == 0
    # Two processes find what is done, and make what one left.
    shutil.copytree(alone, together)
    stored = sorted(together.rglob("cache/results/**/*.json"))
    assert len(stored) == 6
    left, kept = stored[::2], stored[1::2]
    for path in left:
        path.unlink()
    times = [path.stat().st_mtime_ns for path in kept]
    assert run(options(material, together, workers=2, **settings)) == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert all(path.exists() for path in left)
    one, two = (json.loads((folder / "report.json").read_text()) for folder in (alone, together))
    assert one["clips_measured"] == two["clips_measured"] == 4
    for a, b in zip(one["table"], two["table"], strict=True):
        assert (a["protocol"], a["method"], set(a["metrics"])) == (
            b["protocol"],
            b["method"],
            set(b["metrics"]),
        )
        for key, cell in a["metrics"].items():  # other numbers of threads add up in another order
            assert b["metrics"][key]["value"] == pytest.approx(cell["value"], rel=1e-3, abs=1e-3), (
                key
            )
    assert not list((together / "cache" / "inputs").glob("*.steps"))
    # Own sync: under its own name, and never as LSE.
    measured = {key for clip in two["clips"] for key in clip["metrics"]}
    assert "own_sync_confidence" in measured and not any(key.startswith("lse") for key in measured)


def test_our_own_row_brings_the_goals(material: Path, tmp_path: Path) -> None:
    own = {"rows": ("swaptalk",), "command": (), "limit": 1, "videos": 0}
    assert run(options(material, tmp_path / "out", **own)) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    goals = {goal["what"].partition(":")[0]: goal for goal in report["goals"]}
    kept = goals["reconstruction from latents"]["reached"]
    assert (
        kept["lpips"]["count"] == 2
        and 0 < kept["lpips"]["value"] < 0.4
        and kept["identity"]["value"] > 0.5
    )
    assert "lip-sync after the swap, self-driven" in goals
    assert goals["reconstruction from latents"]["goals"]["ssim"] == 0.9


def test_results_that_do_not_fit_are_named_and_the_run_fails_if_nothing_is_left(
    material: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with VideoReader(material / "clips" / "astronaut.mp4") as reader:
        with VideoWriter(theirs / "astronaut.mp4", 256, 256, 25) as writer:
            for frame in reader.frames(range(20)):
                writer.write(frame)
    with pytest.raises(InputError, match="nothing could be measured; 4 skipped") as error:
        run(
            options(material, tmp_path / "out", rows=(), command=(), external=(f"Theirs={theirs}",))
        )
    assert "broken" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": (), "command": ()}, "no method was chosen"),
        ({"command": ("python {output}",)}, "has no name"),
        ({"command": (), "external": ("A=/no/such/folder",)}, "no such folder"),
        ({"every": 0}, "--every 0 is out of range"),
        ({"syncnet_weights": Path("missing.model"), "command": ()}, "no file with SyncNet weights"),
        ({"command": ("A=x {output}", "A=y {output}")}, "two methods are called A"),
    ],
)
def test_wrong_options_are_said(
    material: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError) as error:
        run(options(material, tmp_path / "out", **changes))
    assert said in str(error.value)
