import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from swaptalk.cli import prepare  # noqa: E402
from swaptalk.cli.main import main  # noqa: E402
from swaptalk.cli.train_all import check_same_options, is_finished  # noqa: E402
from swaptalk.data.exclude import read_excluded  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.inference.bundle import default_directory  # noqa: E402
from swaptalk.training.checkpoint import Checkpoint, save_checkpoint, write_config  # noqa: E402
from swaptalk.training.options import from_dict, to_json  # noqa: E402
from swaptalk.training.recipe import (  # noqa: E402
    Recipe,
    RecipeFolders,
    check_base,
    fill,
    read_recipe,
    run_options,
)
from swaptalk.training.record import MetricTable  # noqa: E402
from swaptalk.training.registry import options_of  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = sorted(path.parent.name for path in RECIPES.glob("*/recipe.json"))


def folders(folder: Path) -> RecipeFolders:
    return RecipeFolders(folder, Path("data"), Path("out"), default_directory(), Path("footage"))


def write(folder: Path, recipe: dict, **options: dict) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps({"prepare": {"sources": ["a.mp4"]}, **recipe}))
    for name, values in options.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


def test_there_are_recipes() -> None:
    assert {"tiny", "seventh-weights", "eighth-weights", "ninth-weights"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_of_the_repository_survive_json(name: str) -> None:
    folder = RECIPES / name
    recipe = read_recipe(folder)
    assert from_dict(Recipe, json.loads(to_json(recipe))) == recipe
    for run in recipe.runs:
        options: Any = run_options(recipe, run, folders(folder))
        assert from_dict(options_of(run.stage), json.loads(to_json(options))) == options
        assert (options.out, options.data) == (Path("out") / run.name, Path("data"))
    arguments = fill(recipe.prepare, folders(folder).words(), folder)
    assert from_dict(prepare.Options, arguments).sources


def test_each_run_builds_on_the_ones_before() -> None:
    folder = RECIPES / "tiny"
    recipe = read_recipe(folder)
    (last,) = (run for run in recipe.runs if run.stage == "lipsync")
    lipsync: Any = run_options(recipe, last, folders(folder))
    assert (lipsync.vqgan, lipsync.expert) == (Path("out/vqgan"), Path("out/expert"))
    early = dataclasses.replace(recipe, runs=(recipe.runs[0], last))
    with pytest.raises(InputError, match=r"recipe\.json: lipsync needs a run of expert"):
        run_options(early, last, folders(folder))


def test_the_eighth_weights_restore_faces_of_the_package() -> None:
    folder = RECIPES / "eighth-weights"
    recipe = read_recipe(folder)
    check_base(recipe, default_directory())
    restoration: Any = run_options(recipe, recipe.runs[0], folders(folder))
    assert (restoration.bundle, restoration.clips) == (default_directory(), Path("out/clips"))
    listed = (folder / "clips.csv").read_text().splitlines()
    assert listed[0] == "name" and len(set(listed)) == len(listed) > 200


def test_the_ninth_weights_hear_with_the_package() -> None:
    folder = RECIPES / "ninth-weights"
    recipe = read_recipe(folder)
    check_base(recipe, default_directory())
    hearing: Any = run_options(recipe, recipe.runs[0], folders(folder))
    assert (hearing.lipsync, hearing.audio.width) == (default_directory(), 512)
    listed = (folder / "clips.csv").read_text().splitlines()
    assert listed[0] == "name" and len(set(listed)) == len(listed) > 1500


def test_a_mel_encoder_is_a_base(tmp_path: Path) -> None:
    heard = default_directory() / "audio.safetensors"
    sha256 = hashlib.sha256(heard.read_bytes()).hexdigest()
    recipe = dataclasses.replace(
        read_recipe(RECIPES / "ninth-weights"), base={"mel-encoder": sha256}
    )
    check_base(recipe, default_directory())
    with pytest.raises(InputError, match=r"audio\.safetensors: is not there"):
        check_base(recipe, tmp_path)


def test_the_seventh_weights_build_on_the_package() -> None:
    folder = RECIPES / "seventh-weights"
    recipe = read_recipe(folder)
    check_base(recipe, default_directory())
    swap: Any = run_options(recipe, recipe.runs[0], folders(folder))
    assert (swap.vqgan, swap.exclude) == (default_directory(), folder / "excluded.csv")
    reasons = set(read_excluded(folder / "excluded.csv").values())
    assert reasons == {"child", "sunglasses", "covered", "painted", "not a photo", "damaged"}


def test_other_weights_are_no_base(tmp_path: Path) -> None:
    recipe = read_recipe(RECIPES / "seventh-weights")
    with pytest.raises(InputError, match=r"vqgan\.safetensors: is not there"):
        check_base(recipe, tmp_path)
    shutil.copy(default_directory() / "lipsync.safetensors", tmp_path / "vqgan.safetensors")
    with pytest.raises(InputError, match=r"vqgan\.safetensors: holds other weights"):
        check_base(recipe, tmp_path)


def test_minutes_are_shared(tmp_path: Path) -> None:
    runs = [{"name": "first", "stage": "vqgan", "share": 3}, {"name": "vqgan"}]
    base = {"swap": "0", "lipsync": "0"}
    folder = write(tmp_path, {"runs": runs, "minutes": 8, "base": base}, first={}, vqgan={})
    recipe = read_recipe(folder)
    for whole, wanted in ((None, [6, 2]), (2.0, [1.5, 0.5])):
        assert [
            run_options(recipe, r, folders(folder), whole).minutes for r in recipe.runs
        ] == wanted


GOOD = {"runs": [{"name": "lips"}]}


@pytest.mark.parametrize(
    ("recipe", "options", "file", "said"),
    [
        ({"runs": []}, {}, "recipe.json", "has no runs"),
        ({**GOOD, "minute": 3}, {}, "recipe.json", "no such option: minute"),
        ({**GOOD, "prepare": {}}, {}, "recipe.json", "'prepare' has no 'sources'"),
        ({**GOOD, "prepare": []}, {}, "recipe.json", "is no JSON object"),
        ({"runs": [{"name": "gan"}]}, {}, "recipe.json", "no such stage: gan"),
        ({"runs": [{"name": "../lips"}]}, {}, "recipe.json", "is no name of a run"),
        ({"runs": [{"name": "lips"}] * 2}, {}, "recipe.json", "two runs have one name"),
        ({"runs": [{"name": "lips", "share": 0}]}, {}, "recipe.json", "must be above 0"),
        ({"runs": [{"name": "swap"}]}, {}, "recipe.json", "no run of vqgan, lipsync"),
        ({**GOOD, "base": {"lips": "0"}}, {}, "recipe.json", "a bundle has no stage lips"),
        (GOOD, {}, "lips.json", "the run has no end"),
        (GOOD, {"minutes": 3}, "lips.json", "sets minutes, which 'train all' sets"),
        (GOOD, {"steps": 3, "stepps": 4}, "lips.json", "no such option: stepps"),
        (GOOD, {"steps": 3, "teacher": "{models}/a"}, "lips.json", "no value for {models}"),
        (GOOD, {"steps": 3, "teacher": "{footage}/a"}, "lips.json", "give --footage"),
    ],
)
def test_a_bad_recipe_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    recipe: dict,
    options: dict,
    file: str,
    said: str,
) -> None:
    folder = write(tmp_path / "mine", recipe, lips=options)
    assert main(["train", "all", "--recipe", str(folder), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{folder / file}: " in error and said in error
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_recipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a recipe: no recipe\.json"):
        read_recipe(tmp_path)


def test_the_footage_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "all", "--recipe", str(RECIPES / "tiny"), "--out", str(tmp_path)]) == 2
    assert "give --footage" in capsys.readouterr().err


def test_a_run_is_finished_after_its_last_evaluation(tmp_path: Path) -> None:
    options = options_of("vqgan")(out=tmp_path, steps=4)
    assert not is_finished(options)
    save_checkpoint(tmp_path, Checkpoint(step=4, elapsed=60.0))
    assert not is_finished(options)  # stopped before it was judged
    MetricTable(tmp_path / "metrics.csv", 4).add(4, {"l1": 0.1})
    assert is_finished(options)
    assert not is_finished(dataclasses.replace(options, steps=5))
    assert is_finished(dataclasses.replace(options, steps=0, minutes=1.0))
    assert not is_finished(dataclasses.replace(options, steps=0, minutes=1.1))


def test_a_run_goes_on_only_with_its_own_options(tmp_path: Path) -> None:
    (run,) = read_recipe(RECIPES / "seventh-weights").runs
    options: Any = options_of("swap")(out=tmp_path, minutes=3.0)
    check_same_options(run, options)  # there is no run yet
    write_config(tmp_path, "swap", to_json(options))
    check_same_options(run, dataclasses.replace(options, minutes=9.0, data=Path("moved")))
    with pytest.raises(InputError, match="made with another learning_rate, seed"):
        check_same_options(run, dataclasses.replace(options, learning_rate=0.1, seed=1))
    write_config(tmp_path, "vqgan", to_json(options_of("vqgan")(out=tmp_path, steps=1)))
    with pytest.raises(InputError, match="is a run of vqgan"):
        check_same_options(run, options)
