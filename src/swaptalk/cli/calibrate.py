"""``swaptalk calibrate``: measure the ranges that a bundle needs to be computed in int8."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from tqdm import tqdm

from swaptalk.errors import InputError
from swaptalk.export.calibrate import calibrate
from swaptalk.inference.ranges import RANGES_NAME


@dataclass(frozen=True)
class Options:
    """Measure ranges of activations, so that a bundle's networks can be computed in int8.

    Uses the training people of a dataset and writes activation_ranges.json into the bundle. Weights
    stay as they are; call it again when they have changed.
    """

    data: tyro.conf.Positional[Path]
    """Dataset of 'swaptalk prepare'."""
    models: Path
    """Folder of the bundle."""
    faces: int = 256
    """Composites whose activations are measured."""


def run(options: Options) -> int:
    """Calibrate; print what was found for each network; return the exit code."""
    if options.faces < 1:
        raise InputError("--faces must be at least 1", remedy="256 is usual")
    bar: Any = tqdm(desc="calibrate", file=sys.stderr, disable=not sys.stderr.isatty())

    def advance(part: str, done: int, total: int) -> None:
        bar.set_description(part, refresh=False)
        bar.total, bar.n = total, done
        bar.refresh()

    try:
        found = calibrate(options.models, options.data, options.faces, advance)
    finally:
        bar.close()
    for name, one in found.items():
        print(
            f"{name}: {len(one.inputs)} of {one.layers} convolutions in int8, pictures at "
            f"{one.psnr:.1f} dB to float32"
        )
    print(options.models / RANGES_NAME)
    return 0
