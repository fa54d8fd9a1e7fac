"""``swaptalk models list|pull|path``: the pinned third-party files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from swaptalk.assets import catalogue
from swaptalk.errors import InputError


@dataclass(frozen=True)
class List:
    """Show every third-party file: what it is for, its licence and size, and whether it is here."""

    json: bool = False
    """Print JSON, with SHA-256, packages and paths."""


@dataclass(frozen=True)
class Pull:
    """Fetch files now instead of on first use; those that are here already are verified."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names as shown by 'swaptalk models list'."""
    all: bool = False
    """Every file, also those for training, evaluation and tests."""
    runtime: bool = False
    """The files that generate, swap and sync need."""
    to: Path | None = None
    """Put them into this folder instead of the cache: carry it to a machine without a network and
    name it in SWAPTALK_MODELS_DIR there."""
    quiet: bool = False
    """Print nothing but errors."""


@dataclass(frozen=True)
class ShowPath:
    """Print where a file is, fetching it first if it is not here."""

    name: tyro.conf.Positional[str]
    """Name as shown by 'swaptalk models list'."""


Options = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Pull, tyro.conf.subcommand("pull")]
    | Annotated[ShowPath, tyro.conf.subcommand("path")]
)


def run(options: List | Pull | ShowPath) -> int:
    """Carry out one of the three subcommands; returns the exit code."""
    if isinstance(options, List):
        print(_as_json() if options.json else _as_table())
    elif isinstance(options, Pull):
        _pull(options)
    else:
        print(catalogue.resolve(options.name))
    return 0


def _pull(options: Pull) -> None:
    if options.all:
        wanted = list(catalogue.catalogue())
    else:
        wanted = list(catalogue.catalogue("run-time")) if options.runtime else []
        wanted += [asset for name in options.names if (asset := catalogue.get(name)) not in wanted]
    if not wanted:
        raise InputError(
            "nothing to fetch",
            remedy="give names from 'swaptalk models list', or --runtime, or --all",
        )
    paths = catalogue.pull(wanted, options.to, progress=not options.quiet)
    if not options.quiet:
        for name, path in paths.items():
            print(f"{name}: {path}")


def _as_json() -> str:
    return json.dumps([catalogue.as_record(asset) for asset in catalogue.catalogue()], indent=2)


def _as_table() -> str:
    header = ("name", "status", "MB", "use", "licence", "purpose")
    rows = [
        (a.name, catalogue.status(a), f"{a.size / 1e6:.1f}", a.use, a.licence, a.purpose)
        for a in catalogue.catalogue()
    ]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [
            c.rjust(w) if i == 2 else c.ljust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    place = catalogue.offline_directory() or catalogue.cache_directory()
    return "\n".join([*lines, "", f"folder: {place}"])
