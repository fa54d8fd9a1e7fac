"""``swaptalk train all``: run a recipe, from footage to bundle."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from swaptalk.cli import export as export_verb
from swaptalk.cli import prepare
from swaptalk.errors import InputError
from swaptalk.export.package import describe
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.storage.files import AtomicFile
from swaptalk.training.checkpoint import CONFIG_NAME, load_checkpoint, read_config
from swaptalk.training.options import LoopOptions, from_dict, read_json
from swaptalk.training.recipe import (
    RECIPE_NAME,
    Recipe,
    RecipeFolders,
    RecipeRun,
    check_base,
    fill,
    read_recipe,
    run_options,
)
from swaptalk.training.record import MetricTable
from swaptalk.training.registry import BUNDLED, OPTIONAL, create_stage, options_of
from swaptalk.training.schedule import progress

#: Written into a dataset when it is complete: with what it was prepared.
PREPARED_NAME = "prepared.json"


@dataclass(frozen=True)
class Options:
    """Run a recipe: prepare the footage, train its stages in order, export the bundle.

    Run again after an interruption: what is done is skipped, an unfinished run is resumed.
    """

    recipe: Path
    """Folder with a recipe.json, such as recipes/tiny (docs/guides/train.md)."""
    footage: Path | None = None
    """Folder of the footage. Not needed once the dataset is prepared."""
    out: Path | None = None
    """Folder of runs and bundle; without it runs/RECIPE."""
    data: Path | None = None
    """Folder of the dataset; without it OUT/dataset."""
    base: Path | None = None
    """Bundle of the stages that the recipe does not train; without it that of the package."""
    minutes: float | None = None
    """Minutes of training of all stages together, instead of the recipe's."""


def parse(arguments: Sequence[str]) -> Options:
    """Parse the arguments after ``swaptalk train all``."""
    return tyro.cli(
        Options,
        prog="swaptalk train all",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
    )


def run(options: Options) -> int:
    """Prepare, train and export; print what is done and what is skipped; return the exit code."""
    if options.minutes is not None and not options.minutes > 0:
        raise InputError("--minutes must be above 0", remedy="leave it out for the recipe's own")
    recipe = read_recipe(options.recipe)
    out = options.out or Path("runs") / options.recipe.resolve().name
    folders = RecipeFolders(
        options.recipe,
        options.data or out / "dataset",
        out,
        options.base or default_directory(),
        options.footage,
    )
    check_base(recipe, folders.base)
    # All files are read before anything is started: what is wrong comes out now.
    planned = [(run, run_options(recipe, run, folders, options.minutes)) for run in recipe.runs]
    for entry, chosen in planned:
        check_same_options(entry, chosen)
    prepare_data(recipe.prepare, folders.data, folders)
    if recipe.clips:
        prepare_data(recipe.clips, folders.runs / "clips", folders)
    for entry, chosen in planned:
        train_run(entry, chosen)
    export(recipe, folders, planned)
    return 0


def prepare_data(wanted: dict[str, Any], data: Path, folders: RecipeFolders) -> None:
    """Prepare a dataset of a recipe, if that is not done.

    Args:
        wanted: arguments of ``prepare`` by name, with placeholders.
        data: the dataset.
        folders: of the recipe.

    Raises:
        InputError: the arguments are wrong, the footage is not given, or the dataset was prepared
            in another way.
    """
    file, marker = folders.recipe / RECIPE_NAME, data / PREPARED_NAME
    record = _prepared_with(wanted, folders)
    if marker.exists():
        if read_json(marker) != record:
            raise InputError(
                "was prepared in another way than the recipe says",
                path=data,
                remedy="name another folder as --data and --out, or use the recipe as it was",
            )
        print(f"{data}: prepared already", flush=True)
        return
    arguments = fill(wanted, folders.words(), file)
    prepare.run(from_dict(prepare.Options, {**arguments, "out": str(data)}, file))
    with AtomicFile(marker) as target:
        target.part.write_text(json.dumps(record, indent=1) + "\n")


def _prepared_with(wanted: dict[str, Any], folders: RecipeFolders) -> dict[str, Any]:
    """The arguments of ``prepare``, and hashes of the lists of what to use and to leave out."""
    record: dict[str, Any] = {"prepare": wanted}
    for argument, name in (("exclude", "excluded"), ("only", "only")):
        listed = wanted.get(argument)
        if isinstance(listed, str):
            path = Path(fill(listed, folders.words(), folders.recipe / RECIPE_NAME))
            if not path.is_file():
                remedy = f"correct '{argument}' of the recipe"
                raise InputError("is not there", path=path, remedy=remedy)
            record[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return record


def train_run(entry: RecipeRun, options: LoopOptions) -> None:
    """Train one run of a recipe, from its checkpoint if there is one, unless it is finished."""
    from swaptalk.training.loop import Trainer

    if is_finished(options):
        print(f"{entry.name}: finished already", flush=True)
        return
    print(f"{entry.name}: training {entry.stage}, {_budget(options)}", flush=True)
    Trainer(create_stage(entry.stage, options), options).run()
    gc.collect()  # networks and caches of this run, before the next one makes its own


def _budget(options: LoopOptions) -> str:
    parts = [f"{options.minutes:.4g} minutes"] if options.minutes else []
    return " or ".join([*parts, *([f"{options.steps} steps"] if options.steps else [])])


def is_finished(options: LoopOptions) -> bool:
    """Whether a run has used up its budget and was evaluated at its end."""
    checkpoint = load_checkpoint(options.out)
    if checkpoint is None:
        return False
    step = checkpoint.step
    if progress(step, checkpoint.elapsed, options.steps, options.minutes) < 1:
        return False
    evaluated = MetricTable(options.out / "metrics.csv", step).rows
    return bool(evaluated) and evaluated[-1]["step"] == step


def check_same_options(entry: RecipeRun, options: LoopOptions) -> None:
    """Check that a run that exists was made with the recipe's options.

    Budgets may differ, since a larger one prolongs a run, and folders, since they may have moved.

    Raises:
        InputError: it was made with others.
    """
    if not (options.out / CONFIG_NAME).exists():
        return
    stage, found = read_config(options.out)
    if stage != entry.stage:
        raise InputError(f"is a run of {stage}", path=options.out, remedy="name another --out")
    before = from_dict(options_of(stage), found, options.out / CONFIG_NAME)
    changed = [
        field.name
        for field in dataclasses.fields(options)
        if field.name not in ("steps", "minutes")
        and not isinstance(getattr(options, field.name), Path)
        and getattr(before, field.name) != getattr(options, field.name)
    ]
    if changed:
        raise InputError(
            f"was made with another {', '.join(changed)} than the recipe has",
            path=options.out,
            remedy="name another --out, or use the recipe as it was",
        )


def export(
    recipe: Recipe, folders: RecipeFolders, planned: Sequence[tuple[RecipeRun, LoopOptions]]
) -> None:
    """Export the last run of each stage of the bundle, if that is not done."""
    runs = {entry.stage: options.out for entry, options in planned}
    bundled = {stage: folder for stage, folder in runs.items() if stage in (*BUNDLED, *OPTIONAL)}
    if bundled:
        base, bundle = folders.base if recipe.base else None, folders.runs / "bundle"
        stages = {**{stage: folders.base for stage in recipe.base}, **bundled}
        wanted = describe(stages, base)["stages"]
        made = bundle / BUNDLE_NAME
        if made.exists() and read_json(made)["description"].get("stages") == wanted:
            print(f"{bundle}: exported already")
        else:
            export_verb.run(export_verb.Options(tuple(bundled.values()), bundle, base))
    for stage, folder in runs.items():
        if stage in export_verb.SINGLE:
            print(f"{folder}: export it with 'swaptalk export {folder} --out FILE'")
