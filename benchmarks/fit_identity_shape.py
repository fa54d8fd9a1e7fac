"""Fit the model of identity shape to the labelled training photos of a dataset.

Usage: python benchmarks/fit_identity_shape.py DATASET [OUT.npz]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

import swaptalk.faces.geometry.identity_shape as shape
from swaptalk.data.store import Dataset


def main(dataset: str, out: str | None = None) -> None:
    """Read the photos' meshes, fit, and write the file of the package (or another one)."""
    data = Dataset(Path(dataset))
    photos = [item for item in data.select("train", ["photo"])]
    several = {name for name, count in Counter(i.identity for i in photos).items() if count > 1}
    photos = [item for item in photos if item.identity in several]
    shapes = np.stack([shape.normalised_shape(data.landmarks(item)[0]) for item in photos])
    _, people = np.unique([item.identity for item in photos], return_inverse=True)
    model = shape.fit_identity_shape(shapes, people)
    path = Path(out) if out else Path(shape.__file__).with_name("identity_shape.npz")
    np.savez(path, basis=model.basis.astype(np.float16), gain=model.gain.astype(np.float32))
    print(f"{len(photos)} photos of {len(several)} people -> {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main(*sys.argv[1:])
