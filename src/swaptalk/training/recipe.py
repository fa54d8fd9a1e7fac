"""Recipes: folders of JSON files that say how weights are made; ``swaptalk train all`` runs them.

::

    RECIPE/
      recipe.json     the fields of `Recipe`
      RUN.json        options of each run, as ``swaptalk train STAGE --config`` reads them

Texts may hold placeholders: ``{recipe}`` is the recipe's folder, ``{footage}`` that of the footage,
``{runs}`` that of the runs, ``{base}`` that of the base bundle.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swaptalk.errors import InputError
from swaptalk.training.options import LoopOptions, from_dict, read_json
from swaptalk.training.registry import BUNDLED, OPTIONAL, STAGES, options_of, weights_file

RECIPE_NAME = "recipe.json"
#: Options that ``train all`` sets, so that no file of a recipe may.
SET_BY_COMMAND = ("out", "data", "minutes", "restart", "devices", "nodes")


@dataclass(frozen=True)
class RecipeRun:
    """One run of a stage."""

    name: str
    """Folder of the run; NAME.json holds its options."""
    stage: str = ""
    """Stage that is trained; empty: the one called like the run."""
    share: float = 1.0
    """Share of the recipe's minutes, in proportion to the shares of the others."""


@dataclass(frozen=True)
class Recipe:
    """What ``recipe.json`` holds."""

    runs: tuple[RecipeRun, ...]
    """Runs in order."""
    about: str = ""
    """What the recipe makes, in a line."""
    prepare: dict[str, Any] = field(default_factory=dict)
    """Arguments of 'swaptalk prepare' by name; 'sources' is needed."""
    clips: dict[str, Any] = field(default_factory=dict)
    """The same for a second dataset, of whole clips; empty: none. '{runs}/clips' names it."""
    base: dict[str, str] = field(default_factory=dict)
    """Stages taken from a bundle, each with the SHA-256 of its weights' file: unchanged, unless a
    run starts from them."""
    minutes: float = 0.0
    """Minutes of training of all runs; 0: the runs' steps are the only limit."""


@dataclass(frozen=True)
class RecipeFolders:
    """Folders that a recipe works with."""

    recipe: Path
    data: Path
    """The dataset."""
    runs: Path
    base: Path
    """The bundle that supplies the stages of `Recipe.base`."""
    footage: Path | None = None

    def words(self) -> dict[str, str]:
        """Values of the placeholders."""
        known = {"recipe": self.recipe, "runs": self.runs, "base": self.base}
        if self.footage is not None:
            known["footage"] = self.footage
        return {name: str(path) for name, path in known.items()}


def read_recipe(folder: Path) -> Recipe:
    """Read and check ``recipe.json``; a run's stage is filled in where it is left out.

    Raises:
        InputError: the folder is no recipe, or something in the file is wrong.
    """
    path = folder / RECIPE_NAME
    if not path.is_file():
        raise InputError(
            f"is not a recipe: no {RECIPE_NAME} in it", path=folder, remedy="check the path"
        )
    recipe = from_dict(Recipe, read_json(path), path)
    runs = tuple(dataclasses.replace(run, stage=run.stage or run.name) for run in recipe.runs)
    recipe = dataclasses.replace(recipe, runs=runs)
    problem = _problem(recipe)
    if problem is not None:
        raise InputError(problem, path=path, remedy="correct the file, see docs/guides/train.md")
    return recipe


def _problem(recipe: Recipe) -> str | None:
    """What is wrong with a recipe, if anything."""
    if not recipe.runs:
        return "has no runs"
    if not recipe.prepare.get("sources"):
        return "does not say what to prepare: 'prepare' has no 'sources'"
    if recipe.clips and not recipe.clips.get("sources"):
        return "does not say of what to prepare the clips: 'clips' has no 'sources'"
    if recipe.minutes < 0 or any(run.share <= 0 for run in recipe.runs):
        return "'minutes' must not be negative, and each 'share' must be above 0"
    for run in recipe.runs:
        if not re.fullmatch(r"[A-Za-z0-9][\w-]*", run.name):
            return f"{run.name!r} is no name of a run"
        if run.stage not in STAGES:
            return f"no such stage: {run.stage}"
    names = [run.name for run in recipe.runs]
    if len(set(names)) < len(names):
        return "two runs have one name"
    for stage in recipe.base:
        if stage not in (*BUNDLED, *OPTIONAL):
            return f"a bundle has no stage {stage}"
    trained = {run.stage for run in recipe.runs}
    missing = [stage for stage in BUNDLED if stage not in trained | set(recipe.base)]
    if trained & {*BUNDLED, *OPTIONAL} and missing:
        return f"no run of {', '.join(missing)}, and 'base' does not have it"
    return None


def check_base(recipe: Recipe, bundle: Path) -> None:
    """Check that a bundle's weights are those that the recipe was made with.

    Raises:
        InputError: a file of weights is missing or another one.
    """
    for stage, wanted in recipe.base.items():
        path = bundle / weights_file(stage)
        if not path.is_file():
            raise InputError(
                "is not there, and the recipe builds on it", path=path, remedy="name a --base"
            )
        if hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            raise InputError(
                "holds other weights than those that the recipe builds on",
                path=path,
                remedy=f"name the bundle with SHA-256 {wanted[:12]}... as --base",
            )


def fill(value: Any, words: Mapping[str, str], path: Path) -> Any:
    """Replace the placeholders in all texts of JSON values.

    Args:
        value: text, number, list or object.
        words: what stands for each placeholder.
        path: file that the value comes from, named in errors.

    Raises:
        InputError: a placeholder is not known.
    """
    if isinstance(value, dict):
        return {key: fill(item, words, path) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, words, path) for item in value]
    if not isinstance(value, str):
        return value

    def word(match: re.Match[str]) -> str:
        if match[1] not in words:
            remedy = "give --footage" if match[1] == "footage" else f"known are {', '.join(words)}"
            raise InputError(f"has no value for {match[0]}", path=path, remedy=remedy)
        return words[match[1]]

    return re.sub(r"\{(\w+)\}", word, value)


def run_options(
    recipe: Recipe, run: RecipeRun, folders: RecipeFolders, minutes: float | None = None
) -> LoopOptions:
    """Read the options of a run: ``RUN.json`` with placeholders filled in, the run's part of the
    minutes, and the earlier runs that its stage needs.

    Args:
        recipe: what `read_recipe` returned.
        run: one of its runs.
        folders: folders.
        minutes: of all runs together; None: the recipe's.

    Raises:
        InputError: the file is missing or wrong, the run has no end, or a stage that it needs comes
            neither before it nor from the base.
    """
    path = folders.recipe / f"{run.name}.json"
    values = read_json(path)
    taken = [name for name in SET_BY_COMMAND if name in values]
    if taken:
        raise InputError(
            f"sets {', '.join(taken)}, which 'train all' sets",
            path=path,
            remedy=f"leave it out; minutes belong into {RECIPE_NAME}",
        )
    whole = recipe.minutes if minutes is None else minutes
    values = {
        **fill(values, folders.words(), path),
        "out": str(folders.runs / run.name),
        "data": str(folders.data),
        "minutes": whole * run.share / sum(other.share for other in recipe.runs),
    }
    for name in _stages_needed(run.stage):
        if name not in values:
            values[name] = _provider(name, recipe, run, folders)
    options = from_dict(options_of(run.stage), values, path)
    try:
        options.check()
    except InputError as error:
        raise InputError(error.problem, path=path, remedy=error.remedy) from error
    return options


def _stages_needed(stage: str) -> list[str]:
    """Stages on whose runs one builds: those that have an option called like them."""
    fields = dataclasses.fields(options_of(stage))
    return [f.name for f in fields if f.name in STAGES and f.default is not None]


def _provider(stage: str, recipe: Recipe, before: RecipeRun, folders: RecipeFolders) -> str:
    """Folder of the last run of a stage before another run, or the base bundle.

    Raises:
        InputError: there is none.
    """
    for run in reversed(recipe.runs[: recipe.runs.index(before)]):
        if run.stage == stage:
            return str(folders.runs / run.name)
    if stage in recipe.base:
        return str(folders.base)
    raise InputError(
        f"{before.name} needs a run of {stage}, and none comes before it",
        path=folders.recipe / RECIPE_NAME,
        remedy=f"add one, or name a run as '{stage}' in {before.name}.json",
    )
