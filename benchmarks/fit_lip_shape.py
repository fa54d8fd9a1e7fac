"""Fit the map from motion tokens to the lower face of a mesh to the training clips of a dataset.

Usage: python benchmarks/fit_lip_shape.py DATASET [OUT.npz]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

import swaptalk.faces.geometry.lip_shape as lips
from swaptalk.data.motion import MotionTable
from swaptalk.data.store import Dataset
from swaptalk.faces.geometry.smooth import smooth_points

#: Usable frames below which a clip says nothing about a person's mean.
FEWEST_FRAMES = 20


def clips(data: Dataset) -> Iterator[tuple[Any, Any]]:
    """Yield shapes and raw motion of each real training clip."""
    motion = MotionTable(data)
    motion.build()
    for item in data.select("train", ["real"]):
        usable = data.usable(item) & np.isfinite(motion.raw(item)).all(axis=1)
        if usable.sum() < FEWEST_FRAMES:
            continue
        meshes = smooth_points(np.array(data.landmarks(item)), data.usable(item))
        shapes = np.stack([lips.face_shape(mesh) for mesh in meshes[usable]])
        yield shapes, motion.raw(item)[usable]


def main(dataset: str, out: str | None = None) -> None:
    """Measure, fit, and write the file of the package (or another one)."""
    model = lips.fit_lip_shape(clips(Dataset(Path(dataset))))
    path = Path(out) if out else Path(lips.__file__).with_name("lip_shape.npz")
    arrays: Any = {f.name: getattr(model, f.name).astype(np.float16) for f in fields(model)}
    np.savez(path, **arrays)
    print(f"{path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main(*sys.argv[1:])
