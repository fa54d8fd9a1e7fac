"""Make contact sheets of a bundle on test people.

    python benchmarks/contact_sheets.py DATASET BUNDLE --out FOLDER

DATASET is a folder of ``swaptalk prepare``; only its test split is shown.

- ``reconstructions.png``: 24 faces, each above what the decoder makes of its codes.
- ``swaps.png``: 24 swaps: source, target, composite, result.
- ``lips.png``: six clips, each real, with its own sound and with another clip's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swaptalk.data.store import Dataset, Item
from swaptalk.faces.editing.face_composite import composite_face, shape_difference
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.geometry.pose import estimate_pose
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.inference.bundle import ModelBundle
from swaptalk.pipeline.analysis.reference import assign_references, choose_references
from swaptalk.pipeline.networks import MASK_SIZE

FACES, SWAPS, CLIPS = 24, 24, 6
#: Faces beside one another, and frames of a clip.
COLUMNS = 8
#: Side of a face on the sheets.
SIDE = 160
#: Frames at once.
BATCH = 4
#: Pictures enlarged more than this are left out: their own softness would be blamed on the
#: networks.
LARGEST_SCALE = 1.6
Faces = NDArray[np.uint8]


def strip(faces: Faces) -> NDArray[np.uint8]:
    """Faces (N, 256, 256, 3) beside one another."""
    small = [
        np.asarray(Image.fromarray(face).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        for face in faces
    ]
    return np.concatenate(small, axis=1)


def save(rows: list[NDArray[np.uint8]], path: Path) -> None:
    """Rows below one another."""
    Image.fromarray(np.concatenate(rows)).save(path)
    print(path)


def coded(bundle: ModelBundle, faces: Faces) -> NDArray[np.float32]:
    """Latents (N, C, 16, 16) of faces as the pipeline has them: from their codes."""
    parts = [
        bundle.embed(bundle.quantize(bundle.encode(faces[k : k + BATCH])))
        for k in range(0, len(faces), BATCH)
    ]
    return np.concatenate(parts)


def decoded(bundle: ModelBundle, latents: NDArray[np.float32]) -> Faces:
    """Faces (N, 256, 256, 3)."""
    return np.concatenate(
        [bundle.decode(latents[k : k + BATCH]) for k in range(0, len(latents), BATCH)]
    )


def reconstructions(bundle: ModelBundle, photos: Faces) -> list[NDArray[np.uint8]]:
    """Originals above reconstructions."""
    made = decoded(bundle, coded(bundle, photos))
    return [
        strip(part[k : k + COLUMNS])
        for k in range(0, len(photos), COLUMNS)
        for part in (photos, made)
    ]


def swaps(
    bundle: ModelBundle, sources: list[FacePhoto], targets: list[FacePhoto]
) -> list[NDArray[np.uint8]]:
    """Source, target, composite and result in columns."""
    pictures = [np.stack([face.crop for face in faces]) for faces in (sources, targets)]
    composites, made = [], []
    for source, target in zip(sources, targets, strict=True):
        difference = shape_difference([source], target.shape)
        composite = composite_face([source], target.crop, target.mesh, difference, target.eyewear)
        mask = cv2.resize(composite.mask, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA)
        latents = bundle.encode(composite.picture[None])
        identity = bundle.identity(bundle.encode(source.crop[None]))
        swapped = bundle.swap(latents, np.asarray(mask, np.float32)[None, None], identity)
        composites.append(composite.picture)
        made.append(bundle.decode(swapped)[0])
    parts = (*pictures, np.stack(composites), np.stack(made))
    return [strip(part[k : k + COLUMNS]) for k in range(0, len(sources), COLUMNS) for part in parts]


def lips(bundle: ModelBundle, dataset: Dataset, item: Item, other: Item) -> list[NDArray[np.uint8]]:
    """A clip's frames, the same with the mouth moved by its own sound, and by another's."""
    frames = np.flatnonzero(dataset.usable(item))
    shown = frames[np.linspace(0, len(frames) - 1, COLUMNS).astype(int)]
    real = np.stack([dataset.picture(item, int(frame)) for frame in shown])
    latents = coded(bundle, real)
    # References as the pipeline chooses them among all frames.
    meshes = dataset.landmarks(item)[frames]
    pose = np.stack([estimate_pose(mesh).vector for mesh in meshes])
    openness = np.array([mouth_openness(mesh) for mesh in meshes])
    references = choose_references(pose, openness, np.ones(len(frames), np.bool_))
    assigned = assign_references(pose, references)[np.searchsorted(frames, shown)]
    before = coded(
        bundle, np.stack([dataset.picture(item, int(frames[one])) for one in references])
    )[assigned]
    rows = [strip(real)]
    for sound in (item, other):
        tokens = bundle.motion(dataset.mel(sound))
        half = bundle.motion_window // 2
        near = np.clip(shown[:, None] + np.arange(-half, half + 1), 0, len(tokens) - 1)
        moved = [
            bundle.lipsync(latents[k : k + 1], before[k : k + 1], tokens[near[k]][None])
            for k in range(COLUMNS)
        ]
        rows.append(strip(decoded(bundle, np.concatenate(moved))))
    return rows


def main() -> None:
    """Make the three sheets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rng, dataset = np.random.default_rng(given.seed), Dataset(given.dataset)
    bundle = ModelBundle.from_pretrained(given.bundle)
    photos = [item for item in dataset.select("test", ("photo",)) if item.scale < LARGEST_SCALE]
    drawn = [photos[int(k)] for k in rng.permutation(len(photos))[: FACES + 2 * SWAPS]]
    faces = [
        FacePhoto(dataset.picture(item, 0), np.array(dataset.landmarks(item)[0], np.float32))
        for item in drawn
    ]
    save(
        reconstructions(bundle, np.stack([face.crop for face in faces[:FACES]])),
        given.out / "reconstructions.png",
    )
    save(
        swaps(bundle, faces[FACES : FACES + SWAPS], faces[FACES + SWAPS :]), given.out / "swaps.png"
    )
    heard = [
        item
        for item in dataset.select("test", ("real",))
        if item.sound and dataset.usable(item).any()
    ]
    clips = list({item.identity: item for item in heard}.values())
    rows = []
    for number, item in enumerate(clips[:CLIPS]):
        rows += lips(bundle, dataset, item, clips[(number + 1) % len(clips)])
    save(rows, given.out / "lips.png")


if __name__ == "__main__":
    main()
