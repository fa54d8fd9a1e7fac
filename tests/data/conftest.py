"""Small datasets made here: clips of coloured frames whose mesh opens its mouth, and photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from swaptalk.data.store import Dataset, Item, encode_picture, write_index, write_unit
from swaptalk.faces.geometry.topology import CANONICAL_MESH, INNER_LIPS, LIP_TOP, NOSE

#: Frames of a clip, and those in its middle that are not usable.
CLIP_FRAMES = 80
GAP = slice(30, 37)


def mesh(opening: float) -> np.ndarray:
    """Mesh (468, 3) in crop pixels, the lower inner lip lowered by some pixels."""
    points = CANONICAL_MESH * [55, 55, 55] + [128, 110, 0]
    lower = [i for i in INNER_LIPS if points[i, 1] > points[LIP_TOP, 1] + 1]
    points[lower, 1] += opening
    return points.astype(np.float32)


def write_dataset(
    folder: Path, clips: dict[str, str], photos: dict[str, str], glasses: str = ""
) -> Dataset:
    """A dataset of clips and photos, each a name with its person; all for training, sound trusted.

    The one named ``glasses`` has a dark bar across the bridge of the nose.
    """
    rng = np.random.default_rng(0)
    items = []
    (folder / "units").mkdir(parents=True)
    for name, person in {**clips, **photos}.items():
        count = CLIP_FRAMES if name in clips else 1
        kind = "real" if name in clips else "photo"
        item = Item(
            name,
            name,
            0,
            count,
            kind,
            person,
            "train",
            1.0,
            sound=name in clips,
            trusted=name in clips,
        )  # type: ignore[arg-type]
        colours = rng.integers(30, 220, (count, 1, 1, 3), np.uint8)
        usable = np.ones(count, bool)
        if count > 1:
            usable[GAP] = False
        arrays = {
            "landmarks": np.stack([mesh(6 + 6 * np.sin(k)) for k in range(count)]),
            "usable": usable,
            "alignment": np.zeros((count, 2, 3), np.float32),
            "embedding": rng.standard_normal((1, 128)).astype(np.float32),
        }
        if count > 1:
            arrays["speech"] = np.ones(count, np.float32)
            arrays["audio"] = rng.integers(-3000, 3000, count * 640).astype(np.int16)
        faces = [np.broadcast_to(c, (256, 256, 3)).copy() for c in colours]
        if name == glasses:
            faces[0][round(float(mesh(6)[NOSE[0], 1])) :][:5] = 0
        pictures = [encode_picture(face) for face in faces]
        write_unit(folder / "units" / name, [item], [], pictures, arrays)
        items.append(item)
    write_index(folder / "index.csv", items)
    return Dataset(folder)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Dataset]:
    return lambda clips, photos, name="data", glasses="": write_dataset(
        tmp_path / name, clips, photos, glasses
    )
