"""``swaptalk export``: turn trained runs into a bundle for the run-time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from swaptalk.errors import InputError
from swaptalk.export.package import (
    export_eyes,
    export_eyewear,
    export_hair,
    export_lips,
    export_occlusion,
    export_runs,
    export_sync_scorer,
)
from swaptalk.training.checkpoint import read_config

#: Stages whose run alone becomes a file.
SINGLE = {
    "sync-scorer": export_sync_scorer,
    "lips": export_lips,
    "eyes": export_eyes,
    "occlusion": export_occlusion,
    "eyewear": export_eyewear,
    "hair": export_hair,
}


@dataclass(frozen=True)
class Options:
    """Turn finished runs into a bundle for 'swaptalk generate --models' and check its results.

    Needs runs of vqgan, swap and lipsync; those of mel-encoder and restoration may be there. A run
    of sync-scorer alone becomes a file for 'swaptalk evaluate --sync-scorer', a run of lips, eyes,
    occlusion, eyewear or hair the package's network of that name.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs."""
    out: Path
    """Folder of the bundle, replaced if it exists (single networks: .safetensors or .onnx)."""
    base: Path | None = None
    """Bundle that supplies the stages of which no run is given."""


def run(options: Options) -> int:
    """Export; print the largest differences of PyTorch and ONNX Runtime; return the exit code."""
    if not options.runs:
        raise InputError(
            "no run given", remedy="name the folders of runs of vqgan, swap and lipsync"
        )
    stages = [read_config(run)[0] for run in options.runs]
    if len(stages) == 1 and stages[0] in SINGLE:
        SINGLE[stages[0]](options.runs[0], options.out)
        print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
        return 0
    differences = export_runs(options.runs, options.out, options.base)
    for graph, difference in differences.items():
        print(f"{graph}: PyTorch and ONNX Runtime differ by at most {difference:.2g}")
    size = sum(p.stat().st_size for p in options.out.iterdir() if p.is_file())
    print(f"{options.out}: {size / 1e6:.1f} MB")
    print(f"so that it can be computed in int8: swaptalk calibrate DATASET --models {options.out}")
    return 0
