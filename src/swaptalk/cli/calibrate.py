"""``swaptalk calibrate``: measure the ranges that a bundle needs to be computed in int8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from swaptalk.cli.progress import counter
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
    count = counter("unit")
    try:
        found = calibrate(options.models, options.data, options.faces, count)
    finally:
        count.end()
    for name, one in found.items():
        print(
            f"{name}: {len(one.inputs)} of {one.layers} convolutions in int8, pictures at "
            f"{one.psnr:.1f} dB to float32"
        )
    print(options.models / RANGES_NAME)
    return 0
