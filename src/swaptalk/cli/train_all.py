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

from swaptalk.assets import catalogue
from swaptalk.cli import export as export_verb
from swaptalk.cli import prepare
from swaptalk.errors import InputError
from swaptalk.export.package import describe
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.storage.files import AtomicFile
from swaptalk.training.checkpoint import CONFIG_NAME, load_checkpoint, read_config
from swaptalk.training.options import LoopOptions, from_dict, read_json, shortened
from swaptalk.training.pack import unpack
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
#: Folders of the runs: the dataset, whole clips, and third-party files of a pack.
DATASET, CLIPS, MODELS = "dataset", "clips", "models"


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
    pack: Path | None = None
    """Folder of 'swaptalk train pack': data and third-party files come from there alone."""
    dry_run: bool = False
    """Two steps of each stage on the CPU: is all there? Goes to runs/RECIPE-dry-run."""


def parse(arguments: Sequence[str]) -> Options:
    """Parse the arguments after ``swaptalk train all``."""
    return tyro.cli(
        Options,
        prog="swaptalk train all",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
    )


@dataclass(frozen=True)
class Plan:
    """A recipe that was read, its folders, and its runs with their options."""

    recipe: Recipe
    folders: RecipeFolders
    runs: list[tuple[RecipeRun, LoopOptions]]

    def datasets(self) -> dict[str, Path]:
        """Folders of its datasets by the name that a pack has for them."""
        clips = {CLIPS: self.folders.runs / CLIPS} if self.recipe.clips else {}
        return {DATASET: self.folders.data, **clips}


def make_plan(options: Options) -> Plan:
    """Read everything that a recipe says, before anything is started: what is wrong comes out now.

    Raises:
        InputError: something is wrong with the recipe, its base, or runs that are there.
    """
    if options.minutes is not None and not options.minutes > 0:
        raise InputError("--minutes must be above 0", remedy="leave it out for the recipe's own")
    recipe = read_recipe(options.recipe)
    name = options.recipe.resolve().name
    out = options.out or Path("runs") / (f"{name}-dry-run" if options.dry_run else name)
    folders = RecipeFolders(
        options.recipe,
        options.data or out / DATASET,
        out,
        options.base or default_directory(),
        options.footage,
    )
    check_base(recipe, folders.base)
    runs = [(run, run_options(recipe, run, folders, options.minutes)) for run in recipe.runs]
    if options.dry_run:
        runs = [(run, shortened(chosen)) for run, chosen in runs]
    for entry, chosen in runs:
        check_same_options(entry, chosen)
    return Plan(recipe, folders, runs)


def run(options: Options) -> int:
    """Prepare, train and export; print what is done and what is skipped; return the exit code."""
    plan = make_plan(options)
    if options.pack is None:
        prepare_all(plan)
        train_and_export(plan)
        return 0
    models = plan.folders.runs / MODELS
    unpack(options.pack, {**plan.datasets(), MODELS: models})
    with catalogue.only_from(models):
        prepare_all(plan)
        train_and_export(plan)
    return 0


def prepare_all(plan: Plan) -> None:
    """Prepare the recipe's datasets, if that is not done."""
    prepare_data(plan.recipe.prepare, plan.folders.data, plan.folders)
    if plan.recipe.clips:
        prepare_data(plan.recipe.clips, plan.datasets()[CLIPS], plan.folders)


def train_and_export(plan: Plan) -> None:
    """Train what is not finished, and export the bundle."""
    for entry, chosen in plan.runs:
        train_run(entry, chosen)
    export(plan.recipe, plan.folders, plan.runs)


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
