"""``swaptalk train STAGE``: train one network, or with ``all`` the networks of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning_fabric  # noqa: F401 - so that a missing extra is noticed here and said in one line
import torch  # noqa: F401
import tyro

from swaptalk.cli import train_all, train_pack
from swaptalk.errors import InputError
from swaptalk.training.options import LoopOptions, from_dict, read_json
from swaptalk.training.recipe import fill
from swaptalk.training.registry import STAGES, create_stage, options_of

#: Goes in the place of a stage and runs a recipe.
ALL = "all"
#: Goes in the place of a stage and packs a recipe's data.
PACK = "pack"

USAGE = """usage: swaptalk train STAGE [--config FILE] [--option value]...
       swaptalk train all --recipe FOLDER [--option value]...
       swaptalk train pack --recipe FOLDER --out FOLDER [--option value]...

stages, in order:
{stages}

recipes:
  {all:<{width}}  all stages of a recipe, from footage to bundle
  {pack:<{width}}  the data of a recipe, in files to carry to a machine with a GPU

The folder of a run holds its checkpoint, log.csv, metrics.csv, sample sheets and TensorBoard files.
The same command resumes an interrupted run. --config reads options from JSON, such as the
config.json of another run; options on the command line override it.
'swaptalk train STAGE --help' shows the options of a stage.
"""


#: Options of a stage, of `ALL` or of `PACK`.
Options = LoopOptions | train_all.Options | train_pack.Options


def parse(arguments: Sequence[str]) -> tuple[str, Options]:
    """Parse the arguments of ``swaptalk train`` into stage, ``all`` or ``pack``, and options.

    Raises:
        InputError: unknown stage, or a file of options for another stage.
        SystemExit: help was asked for, or an option is wrong; tyro has said so.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, STAGES))
        print(
            USAGE.format(
                stages="\n".join(f"  {name:<{width}}  {e.summary}" for name, e in STAGES.items()),
                all=ALL,
                pack=PACK,
                width=width,
            )
        )
        raise SystemExit(0 if arguments else 2)
    stage, rest = arguments[0], list(arguments[1:])
    if stage == ALL:
        return ALL, train_all.parse(rest)
    if stage == PACK:
        return PACK, train_pack.parse(rest)
    if stage not in STAGES:
        names = ", ".join((*STAGES, ALL, PACK))
        raise InputError(f"no such stage: {stage}", remedy=f"choose one of {names}")
    file, rest = _take_config(rest)
    kind = options_of(stage)
    default = kind(out=Path("runs") / stage) if file is None else _from_file(stage, kind, file)
    chosen = tyro.cli(
        kind,
        prog=f"swaptalk train {stage}",
        args=rest,
        default=default,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return stage, chosen


def _take_config(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """Take ``--config FILE`` or ``--config=FILE`` out of the arguments."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--config="):
            return Path(argument.partition("=")[2]), arguments[:index] + arguments[index + 1 :]
        if argument == "--config":
            if index + 1 == len(arguments):
                raise InputError("--config needs a file", remedy="name a JSON file of options")
            return Path(arguments[index + 1]), arguments[:index] + arguments[index + 2 :]
    return None, arguments


def _from_file(stage: str, kind: type[LoopOptions], file: Path) -> LoopOptions:
    values = read_json(file)
    if isinstance(values.get("options"), dict):  # the config.json of a run
        if values.get("stage") != stage:
            raise InputError(
                f"holds options of stage {values.get('stage')}",
                path=file,
                remedy="name another file",
            )
        values = values["options"]
    values = fill(values, {"recipe": str(file.parent)}, file)
    return from_dict(kind, {"out": f"runs/{stage}", **values}, file)


def run(chosen: tuple[str, Options]) -> int:
    """Train; returns the exit code."""
    from swaptalk.training.loop import Trainer

    name, options = chosen
    if isinstance(options, train_all.Options):
        return train_all.run(options)
    if isinstance(options, train_pack.Options):
        return train_pack.run(options)
    options.check()
    folder = Trainer(create_stage(name, options), options).run()
    print(f"{folder}: done")
    return 0
