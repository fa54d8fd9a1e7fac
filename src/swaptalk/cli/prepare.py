"""``swaptalk prepare``: turn footage into a training dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tyro

from swaptalk.cli.progress import counter
from swaptalk.data.prepare import PrepareSettings, prepare
from swaptalk.errors import InputError


@dataclass(frozen=True)
class Options:
    """Turn videos and photos into a dataset for 'swaptalk train'.

    Faces are aligned and cropped, sound is compared with the lips, people are split into training
    and test. Run again after an interruption or with more footage: only what is new is done.
    """

    sources: tyro.conf.Positional[tuple[Path, ...]]
    """Videos, photos, tar files, folders. A subfolder is one person (docs/guides/train.md)."""
    out: Path = Path("dataset")
    """Folder of the dataset."""
    workers: int = 0
    """Number of processes; 0: one for each core."""
    max_seconds: float = 0.0
    """Seconds used of each clip, from its beginning; 0: all."""
    moments: int = 0
    """Pictures kept of each clip, spread over it, without its sound; 0: whole clips."""
    test_share: float = 0.1
    """Share of people kept for testing where no index.csv says."""
    identities: bool = True
    """Recognition of people without a label. Needs the model file 'sface'."""
    exclude: Path | None = None
    """CSV file (name, reason) of photos and clips to leave out."""
    only: Path | None = None
    """CSV file (name) of the photos and clips to use; none: all."""


def run(options: Options) -> int:
    """Prepare the dataset; print what was kept and left out; return the exit code."""
    if not options.sources:
        raise InputError("no footage given", remedy="name videos, photos or folders")
    if not 0 <= options.test_share < 1:
        raise InputError("--test-share must be at least 0 and below 1", remedy="0.1 is usual")
    if min(options.workers, options.max_seconds, options.moments) < 0:
        raise InputError(
            "--workers, --max-seconds and --moments must not be negative", remedy="leave them out"
        )
    settings = PrepareSettings(
        options.out,
        options.workers,
        options.max_seconds,
        options.test_share,
        options.identities,
        options.moments,
        options.exclude,
        options.only,
    )
    count = counter("unit")
    try:
        report = prepare(options.sources, settings, partial(count, "prepare"))
    finally:
        count.end()
    print("\n".join(report.lines()))
    print(f"{options.out}: index.csv lists what was kept, dropped.csv and untrusted.csv the rest")
    return 0
