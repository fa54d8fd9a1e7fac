"""Fit the model of faces' textures to the training people of a dataset.

Usage: python benchmarks/fit_face_texture.py DATASET [OUT.npz]

One picture of each photo and clip that shows a face not turned far, and its mirror image. Hair,
hands and rims in front of them are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import swaptalk.faces.editing.face_texture as texture
from swaptalk.data.store import Dataset
from swaptalk.faces.editing.mesh_warp import visibility
from swaptalk.faces.editing.shading import covered_places

#: Faces of which a tenth is seen with less than this share of its frontal area are left out.
LEAST_SEEN = 0.25
#: Most pictures: what memory holds.
MOST = 7000
SEED = 0


def free_places(picture: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where nothing lies in front of a face, (128, 128) of 0 or 1 on the canonical grid."""
    there = texture.on_canonical(covered_places(picture, mesh), mesh)
    small = cv2.resize(there, (texture.SIDE,) * 2, interpolation=cv2.INTER_AREA)
    return np.asarray(small < 0.01, np.float32)


def main(dataset: str, out: str | None = None) -> None:
    """Read textures, fit, and write the file of the package (or another one)."""
    data, rng = Dataset(Path(dataset)), np.random.default_rng(SEED)
    items = data.select("train")
    rows: list[NDArray[np.float16]] = []
    known: list[NDArray[np.bool_]] = []
    for number in rng.permutation(len(items)):
        item = items[number]
        picture = int(rng.integers(item.count))
        mesh = np.asarray(data.landmarks(item)[picture], np.float32)
        if np.percentile(visibility(mesh), 10) < LEAST_SEEN:
            continue
        crop = data.picture(item, picture)
        face, free = texture.canonical_face(crop, mesh), free_places(crop, mesh)
        for way in (slice(None), slice(None, None, -1)):
            rows.append(texture.texture_of(face[:, way]).astype(np.float16))
            known.append(texture.as_texture(free[:, way]) > 0.99)
        if len(rows) >= 2 * MOST:
            break
    model = texture.fit_texture_model(np.stack(rows), np.stack(known))
    path = Path(out) if out else Path(texture.__file__).with_name("face_texture.npz")
    with path.open("wb") as file:
        texture.write_texture_model(model, file)
    print(f"{len(rows) // 2} faces -> {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main(*sys.argv[1:])
