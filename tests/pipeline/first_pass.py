"""A finished first pass, as tests want it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from swaptalk.pipeline.analysis.result import Analysis


def analysis_of(
    folder: Path,
    meshes: np.ndarray,
    state: np.ndarray,
    cuts: list[int],
    reference_crops: np.ndarray | None = None,
) -> Analysis:
    """A target with these meshes (N, 468, 3); its first frames are references and samples, if their
    crops are given.
    """
    folder.mkdir(exist_ok=True)
    crops = np.zeros((0, 256, 256, 3), np.uint8) if reference_crops is None else reference_crops
    for name, rows in (
        ("mesh", meshes),
        ("matrix", np.zeros((len(meshes), 2, 3))),
        ("state", state),
        ("reference", np.zeros(len(meshes), np.uint8)),
        ("exposure", np.tile(np.array([1, 0], np.float32), (len(meshes), 1))),
        ("reference-crops", crops),
        ("sample-crops", crops),
    ):
        np.save(folder / f"{name}.npy", rows)
    references = list(range(len(crops)))
    record = {
        "reasons": ["", "no face"],
        "cuts": cuts,
        "references": references,
        "samples": references,
        "mouths": [],
    }
    (folder / "analysis.json").write_text(json.dumps(record))
    return Analysis(folder)
