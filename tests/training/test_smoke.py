"""The whole way on a tiny set: the recipe ``recipes/tiny`` (prepare, every stage, export), then
generate. ``make train-smoke`` runs this file.

Two photographs in the public domain are made to speak, so that every stage has what it needs.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("onnxscript")

from swaptalk.assets.catalogue import resolve  # noqa: E402
from swaptalk.cli.main import main  # noqa: E402
from swaptalk.media.probe import probe  # noqa: E402
from swaptalk.storage.hashing import sha256_of  # noqa: E402

from ..waiting import until_line  # noqa: E402
from .footage import FRAMES, make_footage  # noqa: E402

#: The lip network's teacher, which no package carries.
TEACHER = Path(os.environ.get("SWAPTALK_SHARED", Path(__file__).parents[3] / "shared")) / (
    "models/face_landmarks_detector.tflite"
)
RECIPE = Path(__file__).parents[2] / "recipes" / "tiny"
STAGES = (
    "vqgan",
    "expert",
    "swap",
    "sync-scorer",
    "lipsync",
    "mel-encoder",
    "restoration",
    "lips",
    "eyes",
)
#: Stages that learn from a teacher's file.
TAUGHT = ("lips", "eyes")
#: Stages that can keep their data on the device.
RESIDENT = ("vqgan", "swap", "lipsync", "restoration")
STEPS = 4
#: Largest relative difference of a number between two runs of the same steps, written with six
#: digits. Other batches differ by tens of per cent.
ROUNDING = 0.001


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads add up in another order each time, and curves could not be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two people, each with a talking clip and two photos."""
    folder = tmp_path_factory.mktemp("footage")
    make_footage(folder)
    return folder


def train_all(*arguments: str | Path) -> int:
    return main(["train", "all", "--recipe", str(RECIPE), *map(str, arguments)])


@pytest.fixture(scope="module")
def run(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Runs the whole recipe, then returns a stage's run; trains a stage alone if it is told to."""
    home = tmp_path_factory.mktemp("training")
    assert train_all("--footage", footage, "--out", home, "--data", home / "data") == 0

    def arguments(stage: str, out: Path) -> list[str]:
        alone = ("vqgan", "sync-scorer", "mel-encoder", "restoration", *TAUGHT)
        needed = [] if stage in alone else ["--vqgan", str(train("vqgan"))]
        needed += ["--teacher", str(TEACHER)] if stage in TAUGHT else []
        needed += ["--expert", str(train("expert"))] if stage == "lipsync" else []
        needed += ["--lipsync", str(train("lipsync"))] if stage == "mel-encoder" else []
        options = ["--config", str(RECIPE / f"{stage}.json"), *needed, "--data", str(home / "data")]
        return ["train", stage, *options, "--out", str(out)]

    def train(stage: str, name: str = "", *more: str, fresh: bool = False) -> Path:
        out = home / (name or stage)
        if fresh or not out.exists():
            assert main([*arguments(stage, out), *more]) == 0
        return out

    train.home, train.arguments = home, arguments  # type: ignore[attr-defined]
    return train


def kill_somewhere(arguments: list[str], out: Path) -> int:
    """Start a training that saves after each step, and kill it (SIGKILL) once it has told of one
    of them; returns the steps logged.

    On a busy machine the training may end before the blow falls; then it is tried again, earlier.
    """
    for latest in range(STEPS - 1, 0, -1):
        shutil.rmtree(out, ignore_errors=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "swaptalk", *arguments, "--save-every", "0"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            until_line(process, f"{random.randint(1, latest)}: ")
            process.kill()
        if process.returncode == -signal.SIGKILL:
            return len(rows(out / "log.csv"))
    pytest.fail("the training cannot be killed in time")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    return [
        {k: v for k, v in row.items() if k not in ("samples_per_second", "elapsed")}
        for row in found
    ]


def assert_same_curve(
    found: list[dict[str, str]], wanted: list[dict[str, str]], message: str
) -> None:
    """Equal but for `ROUNDING`."""
    assert [list(row) for row in found] == [list(row) for row in wanted], message
    for one, other in zip(found, wanted, strict=True):
        assert {k: bool(v) for k, v in one.items()} == {k: bool(v) for k, v in other.items()}, (
            message
        )
        numbers = [{k: float(v) for k, v in row.items() if v} for row in (one, other)]
        assert numbers[0] == pytest.approx(numbers[1], rel=ROUNDING, abs=1e-6), message


def test_prepare_keeps_people_and_lists_the_rest(run: Callable[..., Path]) -> None:
    data = run.home / "data"  # type: ignore[attr-defined]
    items = rows(data / "index.csv")
    assert sorted((i["kind"], i["identity"].rpartition("/")[2]) for i in items) == [
        ("photo", "astronaut"),
        ("photo", "astronaut"),
        ("photo", "grace-hopper"),
        ("photo", "grace-hopper"),
        ("real", "astronaut"),
        ("real", "grace-hopper"),
    ]
    clips = [i for i in items if i["kind"] == "real"]
    assert all(
        i["count"] == str(FRAMES) and i["trusted"] == "True" and i["offset"] == "0" for i in clips
    )
    dropped = {row["name"].rpartition("/")[2]: row["reason"] for row in rows(data / "dropped.csv")}
    assert set(dropped) == {"broken.mp4", "cut.mp4", "wall.png"} and all(dropped.values())


def test_preparing_again_does_nothing_anew(run: Callable[..., Path], footage: Path) -> None:
    data = run.home / "data"  # type: ignore[attr-defined]
    before = {p: p.stat().st_mtime_ns for p in (data / "units").rglob("*")}
    index = (data / "index.csv").read_text()
    (data / "units" / "killed.part").mkdir()
    assert (
        main(["prepare", str(footage), "--out", str(data), "--workers", "1", "--test-share", "0"])
        == 0
    )
    assert {p: p.stat().st_mtime_ns for p in (data / "units").rglob("*")} == before
    assert (data / "index.csv").read_text() == index


@pytest.fixture
def teacher() -> Path:
    if not TEACHER.exists():
        pytest.skip(
            f"{TEACHER.name} is not there; SWAPTALK_SHARED names the folder whose models/ holds it"
        )
    return TEACHER


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_trains_and_a_killed_one_has_the_same_curve(
    stage: str, run: Callable[..., Path], request: pytest.FixtureRequest
) -> None:
    """The killed one goes on with its data on the device, where the stage can."""
    if stage in TAUGHT:
        request.getfixturevalue("teacher")
    whole = rows(run(stage) / "log.csv")
    assert len(whole) == STEPS
    assert rows(run(stage) / "metrics.csv")
    parts = run.home / f"{stage}-parts"  # type: ignore[attr-defined]
    killed = kill_somewhere(run.arguments(stage, parts), parts)  # type: ignore[attr-defined]
    kept = ("--resident",) if stage in RESIDENT else ()
    run(stage, f"{stage}-parts", *kept, fresh=True)
    assert_same_curve(rows(parts / "log.csv"), whole, f"killed after {killed} steps")
    assert_same_curve(rows(parts / "metrics.csv"), rows(run(stage) / "metrics.csv"), "metrics")
    assert stage in ("expert", "sync-scorer", "mel-encoder") or any((parts / "samples").iterdir())


def test_a_recipe_skips_what_is_done_and_goes_on_with_the_rest(
    run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = run.home  # type: ignore[attr-defined]
    out = tmp_path / "moved"
    shutil.copytree(home, out, ignore=shutil.ignore_patterns("data", "*-parts"))
    shutil.rmtree(out / "sync-scorer")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.name == "checkpoint.pt"}
    bundle = (out / "bundle" / "bundle.json").stat().st_mtime_ns
    capsys.readouterr()
    assert train_all("--out", out, "--data", home / "data") == 0  # without the footage
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if "already" in line] == [
        f"{home / 'data'}: prepared already",
        *(
            f"{name}: finished already"
            for name in ("vqgan", "expert", "swap", "lipsync", "mel-encoder", "restoration")
        ),
        f"{out / 'bundle'}: exported already",
    ]
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert (out / "bundle" / "bundle.json").stat().st_mtime_ns == bundle
    again = rows(out / "sync-scorer" / "log.csv")
    assert_same_curve(again, rows(run("sync-scorer") / "log.csv"), "trained again")


def test_a_pack_holds_all_that_its_recipe_needs(
    run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dry run elsewhere, with nothing but the pack: no footage, and an empty cache."""
    home = run.home  # type: ignore[attr-defined]
    recipe, base, pack = tmp_path / "recipe", home / "bundle", tmp_path / "pack"
    recipe.mkdir()
    shutil.copy(RECIPE / "swap.json", recipe)
    values = json.loads((RECIPE / "recipe.json").read_text())
    stages = {
        stage: sha256_of(base / f"{stage}.safetensors") for stage in ("vqgan", "swap", "lipsync")
    }
    values = {**values, "base": stages, "runs": [{"name": "swap"}]}
    (recipe / "recipe.json").write_text(json.dumps(values))
    chosen = ["--recipe", str(recipe), "--base", str(base)]
    there = ["--data", str(home / "data"), "--runs", str(home)]
    assert main(["train", "pack", *chosen, *there, "--out", str(pack)]) == 0
    monkeypatch.setenv("SWAPTALK_CACHE_DIR", str(tmp_path / "empty"))
    out = tmp_path / "elsewhere"
    dry = ["train", "all", *chosen, "--out", str(out), "--dry-run"]
    assert main([*dry, "--pack", str(pack)]) == 0
    assert "SWAPTALK_MODELS_DIR" not in os.environ
    assert len(rows(out / "swap" / "log.csv")) == 2 and (out / "bundle" / "bundle.json").exists()
    files = sorted(path.name for path in (out / "models").iterdir())
    assert files == ["lpips-alexnet.ckpt", "sface.onnx"]
    assert not (tmp_path / "empty" / "models").exists()
    (out / "models" / "sface.onnx").unlink()
    shutil.rmtree(out / "swap")
    capsys.readouterr()
    assert main([*dry, "--pack", str(pack)]) == 1
    assert "the offline folder lacks sface.onnx" in capsys.readouterr().err


def test_a_recipe_refuses_runs_made_otherwise(
    run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = run.home  # type: ignore[attr-defined]
    recipe = tmp_path / "other"
    shutil.copytree(RECIPE, recipe)
    values = json.loads((recipe / "swap.json").read_text())
    (recipe / "swap.json").write_text(json.dumps({**values, "learning_rate": 0.01}))
    places = ["--out", str(home), "--data", str(home / "data")]
    assert main(["train", "all", "--recipe", str(recipe), *places]) == 2
    assert f"{home / 'swap'}: was made with another learning_rate" in capsys.readouterr().err
    shutil.copy(RECIPE / "swap.json", recipe)
    values = json.loads((recipe / "recipe.json").read_text())
    values["prepare"]["moments"] = 4
    (recipe / "recipe.json").write_text(json.dumps(values))
    assert main(["train", "all", "--recipe", str(recipe), *places]) == 2
    assert f"{home / 'data'}: was prepared in another way" in capsys.readouterr().err


def test_export_and_generate(run: Callable[..., Path], footage: Path, tmp_path: Path) -> None:
    bundle = run.home / "bundle"  # type: ignore[attr-defined]
    described = json.loads((bundle / "bundle.json").read_text())["description"]
    stages = described["stages"]
    assert all(stages[stage]["steps"] == 4 for stage in ("vqgan", "mel-encoder", "restoration"))
    assert "l1" in stages["vqgan"]["validation"]
    assert described["parity"]["decode"] <= 1 and described["parity"]["restore"] <= 1
    output = tmp_path / "out.mp4"
    assert (
        main(
            [
                "generate",
                "--source",
                str(footage / "astronaut" / "photo.png"),
                "--target",
                str(footage / "grace-hopper" / "clip.mp4"),
                "--audio",
                str(footage.parent / "astronaut.wav"),
                "--models",
                str(bundle),
                "--output",
                str(output),
                "--quiet",
            ]
        )
        == 0
    )
    made = probe(output)
    assert made.video is not None and made.audio is not None
    assert made.duration == pytest.approx(FRAMES / 25, abs=0.1)


def test_a_sync_scorer_is_exported_and_measures(run: Callable[..., Path], tmp_path: Path) -> None:
    from swaptalk.metrics.own_sync import OwnSyncScorer

    first = run("sync-scorer")
    again = tmp_path / "aligned"
    data = str(run.home / "data")  # type: ignore[attr-defined]
    aligned = [
        "--config",
        str(RECIPE / "sync-scorer.json"),
        "--data",
        data,
        "--out",
        str(again),
        "--align-by",
        str(first),
    ]
    assert main(["train", "sync-scorer", *aligned, "--steps", "1"]) == 0
    file = tmp_path / "scorer.safetensors"
    assert main(["export", str(first), "--out", str(file)]) == 0
    described = json.loads(file.with_suffix(".json").read_text())
    assert described["description"]["stages"]["sync-scorer"]["steps"] == 4
    scorer = OwnSyncScorer.from_pretrained(file)
    sound = scorer.embed_sound(np.zeros(16000, np.int16))
    assert sound.shape == (21, 16) and np.allclose(np.linalg.norm(sound, axis=1), 1, atol=1e-5)


def test_a_lip_network_is_exported_and_measures(
    teacher: Path, run: Callable[..., Path], tmp_path: Path
) -> None:
    from swaptalk.faces.detection.lips import LipNetwork
    from swaptalk.faces.geometry.part_view import from_view, lip_region, part_view
    from swaptalk.faces.geometry.topology import LIPS, canonical_crop_mesh
    from swaptalk.training.pretrained import load_network

    file = tmp_path / "lips.onnx"
    assert main(["export", str(run("lips")), "--out", str(file)]) == 0
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    mesh = np.pad(canonical_crop_mesh(), ((0, 0), (0, 1)))
    refined = LipNetwork(file)(image, mesh)
    region = lip_region(mesh)
    views = torch.from_numpy(part_view(image, region)[None])
    expected = from_view(load_network("lips", run("lips"))(views)[0].numpy(), region)
    assert np.abs(refined[LIPS, :2] - expected).max() < 0.05  # weights in fp16
    others = np.setdiff1d(np.arange(468), LIPS)
    assert np.array_equal(refined[others], mesh[others])


def test_an_eye_network_is_exported_and_measures(
    teacher: Path, run: Callable[..., Path], tmp_path: Path
) -> None:
    from swaptalk.faces.editing.eye_network import EyeNetwork
    from swaptalk.faces.geometry.part_view import eye_region, from_view, part_view
    from swaptalk.faces.geometry.topology import canonical_crop_mesh
    from swaptalk.training.pretrained import load_network

    file = tmp_path / "eyes.onnx"
    assert main(["export", str(run("eyes")), "--out", str(file)]) == 0
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    mesh = np.pad(canonical_crop_mesh(), ((0, 0), (0, 1)))
    right, left = EyeNetwork(file)(image, mesh)
    regions = [eye_region(mesh, eye) for eye in (0, 1)]
    views = [part_view(image, region) for region in regions]
    views[1] = views[1][:, ::-1]
    points = load_network("eyes", run("eyes"))(torch.from_numpy(np.stack(views))).numpy()
    points[1, :, 0] *= -1
    assert np.abs(right - from_view(points[0], regions[0])).max() < 0.05  # weights in fp16
    assert np.abs(left - from_view(points[1], regions[1])).max() < 0.05


def test_a_teacher_that_is_none_is_refused(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = run.home / "data"  # type: ignore[attr-defined]
    for file in (resolve("face-mesh"), data / "index.csv"):
        given = ["--data", str(data), "--teacher", str(file), "--steps", "1"]
        assert main(["train", "lips", *given]) == 2
        assert "is not the 478-point landmark network" in capsys.readouterr().err


def test_export_says_what_is_missing(
    run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run("vqgan")), "--out", str(tmp_path / "bundle")]) == 2
    assert "no run of swap, lipsync" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    runs = [str(run(stage)) for stage in ("vqgan", "swap", "lipsync")]
    assert main(["export", *runs, "--out", str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine" / "diary.txt").exists()


def test_a_stage_on_the_wrong_run_is_refused(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(run.home / "data")  # type: ignore[attr-defined]
    assert (
        main(["train", "swap", "--data", data, "--vqgan", str(run("expert")), "--steps", "1"]) == 2
    )
    assert "is a run of stage expert" in capsys.readouterr().err
    assert (
        main(["train", "swap", "--data", data, "--vqgan", str(run("vqgan")), "--steps", "1"]) == 2
    )
    assert "embeddings have 16 channels" in capsys.readouterr().err
