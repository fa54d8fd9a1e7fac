"""``swaptalk train pack``: put what a recipe's training needs into files that can be carried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from swaptalk.assets import catalogue
from swaptalk.cli import train_all
from swaptalk.errors import InputError
from swaptalk.training.announce import announce
from swaptalk.training.pack import dataset_files, write_pack

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Options:
    """Pack the data of a recipe, to train on a machine that has neither footage nor network.

    There, 'swaptalk train all --recipe RECIPE --pack PACK' goes on. Footage that is not prepared
    yet is prepared first.
    """

    recipe: Path
    """Folder with a recipe.json."""
    out: Path
    """Folder of the pack."""
    footage: Path | None = None
    """Folder of the footage. Not needed once the dataset is prepared."""
    runs: Path | None = None
    """Folder of the recipe's runs, with its datasets; without it runs/RECIPE."""
    data: Path | None = None
    """Folder of the dataset; without it RUNS/dataset."""
    base: Path | None = None
    """Bundle that the recipe builds on; without it that of the package. It is not packed."""
    shard_megabytes: int = 60
    """Largest size of a file, in millions of bytes."""


def parse(arguments: Sequence[str]) -> Options:
    """Parse the arguments after ``swaptalk train pack``."""
    return tyro.cli(
        Options, prog="swaptalk train pack", args=arguments, config=(tyro.conf.DisallowNone,)
    )


def run(options: Options) -> int:
    """Prepare what is not prepared, and write the pack; return the exit code."""
    if options.shard_megabytes < 1:
        raise InputError("--shard-megabytes must be at least 1", remedy="give 60")
    plan = train_all.make_plan(
        train_all.Options(
            options.recipe,
            footage=options.footage,
            out=options.runs,
            data=options.data,
            base=options.base,
        )
    )
    train_all.prepare_all(plan)
    names = sorted({name for _, chosen in plan.runs for name in chosen.files()})
    files = [Path(path.name) for path in catalogue.resolve_all(names).values()]
    held = {name: (place, dataset_files(place)) for name, place in plan.datasets().items()}
    models = catalogue.offline_directory() or catalogue.cache_directory()
    pack = write_pack(
        options.out,
        {**held, train_all.MODELS: (models, files)},
        options.shard_megabytes * _MEGABYTE,
        announce("packing"),
    )
    size = sum(shard.size for shard in pack.shards) / _MEGABYTE
    print(f"{options.out}: {len(pack.shards)} shards, {size:.0f} MB")
    return 0
