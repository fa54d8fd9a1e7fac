"""Fit the model of shading to the labelled training photos of a dataset.

Usage: python benchmarks/fit_shading.py DATASET [OUT.npz]

Faces turned far, and the twentieth that the model of textures explains least, are left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import swaptalk.faces.editing.shading as shading
from swaptalk.data.store import Dataset, Item
from swaptalk.faces.editing.face_texture import TextureFit, face_grid
from swaptalk.faces.editing.mesh_warp import visibility

#: Faces of which a tenth is seen with less than this share of its frontal area are left out.
LEAST_SEEN = 0.25
#: Share of the faces that is explained well enough.
EXPLAINED = 0.95


_data: Dataset


def _open(dataset: str) -> None:
    global _data
    _data = Dataset(Path(dataset))


def _texture(photo: Item) -> TextureFit | None:
    mesh = np.asarray(_data.landmarks(photo)[0], np.float32)
    if np.percentile(visibility(mesh), 10) < LEAST_SEEN:
        return None
    return shading.measure_texture(_data.picture(photo, 0), mesh)


def main(dataset: str, out: str | None = None) -> None:
    """Read the photos' textures, fit, and write the file of the package (or another one)."""
    photos = Dataset(Path(dataset)).select("train", ["photo"])
    several = {name for name, count in Counter(i.identity for i in photos).items() if count > 1}
    photos = [photo for photo in photos if photo.identity in several]
    with ProcessPoolExecutor(initializer=_open, initargs=(dataset,)) as pool:
        found = list(pool.map(_texture, photos, chunksize=16))
    seen = [(fit, photo.identity) for fit, photo in zip(found, photos, strict=True) if fit]
    fits, names = [fit for fit, _ in seen], [name for _, name in seen]
    strange = np.array([fit.strangeness[face_grid()].mean() for fit in fits])
    used = np.flatnonzero(strange <= np.quantile(strange, EXPLAINED))
    _, people = np.unique([names[number] for number in used], return_inverse=True)
    model = shading.fit_shading_model(
        np.stack([fits[number].components for number in used]),
        np.stack([fits[number].levels for number in used]),
        people,
    )
    path = Path(out) if out else Path(shading.__file__).with_name("shading.npz")
    np.savez(path, shading=model.shading.astype(np.float16), level=model.level)
    print(
        f"{len(used)} photos of {people.max() + 1} people -> {path} ({path.stat().st_size} bytes)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
