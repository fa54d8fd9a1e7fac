"""Fit the model of faces' textures to the training people of a dataset.

Usage: python benchmarks/fit_face_texture.py DATASET [OUT.npz]

One picture of each photo and clip that shows a face not turned far, and its mirror image.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import swaptalk.faces.editing.face_texture as texture
from swaptalk.data.store import Dataset
from swaptalk.faces.editing.mesh_warp import visibility

#: Faces of which a tenth is seen with less than this share of its frontal area are left out.
LEAST_SEEN = 0.25
#: Most pictures: what memory holds.
MOST = 7000
SEED = 0


def main(dataset: str, out: str | None = None) -> None:
    """Read textures, fit, and write the file of the package (or another one)."""
    data, rng = Dataset(Path(dataset)), np.random.default_rng(SEED)
    items = data.select("train")
    rows: list[np.ndarray] = []
    for number in rng.permutation(len(items)):
        item = items[number]
        picture = int(rng.integers(item.count))
        mesh = np.asarray(data.landmarks(item)[picture], np.float32)
        if np.percentile(visibility(mesh), 10) < LEAST_SEEN:
            continue
        face = texture.canonical_face(data.picture(item, picture), mesh)
        rows += [texture.texture_of(one) for one in (face, face[:, ::-1])]
        if len(rows) >= 2 * MOST:
            break
    model = texture.fit_texture_model(np.asarray(rows, np.float16))
    path = Path(out) if out else Path(texture.__file__).with_name("face_texture.npz")
    with path.open("wb") as file:
        texture.write_texture_model(model, file)
    print(f"{len(rows) // 2} faces -> {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main(*sys.argv[1:])
