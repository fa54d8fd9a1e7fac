"""Triplets made once and kept beside the cached embeddings: as latents, masks and meshes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.data.faces import to_tensor
from swaptalk.data.frames import Frame, FrameChoice
from swaptalk.data.store import Dataset, decode_picture, encode_picture
from swaptalk.data.triplets import MASK_SIZE, ROLES, MadeTriplet, Role, TripletMaker
from swaptalk.data.unit_arrays import save_array
from swaptalk.models.vqgan import VQGAN
from swaptalk.workers.pool import map_unordered

#: To be raised whenever triplets are made in another way: those of an earlier version are then not
#: mixed with new ones.
_VERSION = 8
#: Triplets in one file of the cache.
CHUNK = 256
#: Pictures that are encoded at once.
_BATCH = 32


@dataclass(frozen=True)
class Triplet:
    """One training example: the composite, the source, and who and what the answer is."""

    role: Role
    source: Frame
    """Picture A."""
    answer: Frame
    """Picture B; the clean target of a role pair."""
    composite: NDArray[np.float16]
    """Latents (C, 16, 16) of the composite."""
    photo: NDArray[np.float16]
    """Latents (C, 16, 16) of A as the composite used it."""
    mask: NDArray[np.uint8]
    """(64, 64), 255 where the composite shows A."""
    mesh: NDArray[np.float16]
    """Points (468, 2) of the face in the composite, crop pixels."""
    anchor: bytes
    """JPEG of the composite of a role pair, empty otherwise."""

    def anchor_picture(self) -> NDArray[np.uint8]:
        """The composite (256, 256, 3) of a role pair."""
        return decode_picture(np.frombuffer(self.anchor, np.uint8))


@dataclass(frozen=True)
class _MadeChunk:
    """Triplets as pictures, before they are encoded."""

    number: int
    pictures: NDArray[np.uint8]
    """Composite and photo of each in turn (2 n, 256, 256, 3)."""
    masks: NDArray[np.uint8]
    """(n, 64, 64)."""
    meshes: NDArray[np.float16]
    """(n, 468, 2)."""
    anchors: bytes
    """JPEGs, one after another."""
    rows: NDArray[np.str_]
    """Role, name and frame of source and answer, bytes of the anchor (n, 6)."""


class _ChunkMaker:
    """Makes whole chunks: triplets of a range of numbers; made once in each process."""

    def __init__(self, choice: FrameChoice, seed: int) -> None:
        self._make = TripletMaker(choice.sampler(), seed)

    def __call__(self, chunk: tuple[int, range]) -> _MadeChunk:
        made = [self._make(number) for number in chunk[1]]
        anchors = [
            encode_picture(one.composite.picture) if one.role == "role" else b"" for one in made
        ]
        masks = [
            cv2.resize(one.composite.mask, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA)
            for one in made
        ]
        return _MadeChunk(
            chunk[0],
            np.stack([picture for one in made for picture in (one.composite.picture, one.photo)]),
            np.round(255 * np.stack(masks)).astype(np.uint8),
            np.stack([one.composite.mesh[:, :2] for one in made]).astype(np.float16),
            b"".join(anchors),
            np.array([_row(one, anchor) for one, anchor in zip(made, anchors, strict=True)]),
        )


def _row(made: MadeTriplet, anchor: bytes) -> list[str]:
    (source, place), (answer, other) = made.source, made.answer
    return [made.role, source.name, str(place), answer.name, str(other), str(len(anchor))]


class TripletCache:
    """Triplets made once; the cache can grow at any time.

    Args:
        folder: of the cached embeddings; the triplets lie beside it.
        choice: the pictures; triplets of pictures that may no longer be drawn stay on disk and are
            left out.
        seed: of the triplets.
        dataset: of the pictures.

    Raises:
        InputError: nobody has two pictures.
    """

    def __init__(self, folder: Path, choice: FrameChoice, seed: int, dataset: Dataset) -> None:
        self.folder = folder.with_name(f"{folder.name}-triplets{_VERSION}-{seed}")
        self._choice, self._seed = choice, seed
        self.frames = choice.sampler(dataset)
        TripletMaker(self.frames, seed)  # says now what makes it impossible
        self._by_name = {item.name: item for item in self.frames.items}
        self._triplets: list[Triplet] = []

    def build(
        self,
        count: int,
        vqgan: VQGAN,
        device: torch.device | str = "cpu",
        workers: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make what is missing of the first ``count`` triplets, in whole chunks, and open the
        cache.

        Args:
            count: triplets wanted.
            vqgan: frozen encoder.
            device: where it is.
            workers: processes that make the pictures.
            progress: called with (chunks done, chunks missing at first) after each.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        chunks = -(-count // CHUNK)
        size = min(count, CHUNK) if chunks == 1 else CHUNK
        missing = [
            (k, range(k * CHUNK, k * CHUNK + size))
            for k in range(chunks)
            if not self._path(k, "rows").exists()
        ]
        make = partial(_ChunkMaker, self._choice, self._seed)
        for done, made in enumerate(map_unordered(make, missing, workers), 1):
            self._store(made, vqgan, device)
            if progress is not None:
                progress(done, len(missing))
        self.load()

    def _path(self, chunk: int, part: str) -> Path:
        return self.folder / f"{chunk:05d}-{part}.npy"

    def _store(self, made: _MadeChunk, vqgan: VQGAN, device: torch.device | str) -> None:
        """Encode a chunk's pictures and write the chunk."""
        latents = []
        for start in range(0, len(made.pictures), _BATCH):
            faces = to_tensor(made.pictures[start : start + _BATCH]).to(device)
            with torch.inference_mode():
                latents.append(vqgan.encode(faces).half().cpu().numpy())
        save_array(self._path(made.number, "latents"), np.concatenate(latents))
        save_array(self._path(made.number, "masks"), made.masks)
        save_array(self._path(made.number, "meshes"), made.meshes)
        save_array(self._path(made.number, "anchors"), np.frombuffer(made.anchors, np.uint8))
        save_array(self._path(made.number, "rows"), made.rows)  # last: the chunk is complete

    def load(self) -> None:
        """Open every complete chunk that is there."""
        self._triplets = []
        for path in sorted(self.folder.glob("*-rows.npy")):
            chunk = int(path.name.partition("-")[0])
            latents = np.load(self._path(chunk, "latents"), mmap_mode="r")
            masks, meshes, anchors = (
                np.load(self._path(chunk, part)) for part in ("masks", "meshes", "anchors")
            )
            ends = np.cumsum([0, *(int(row[5]) for row in np.load(path))])
            for k, row in enumerate(np.load(path)):
                if row[1] not in self._by_name or row[3] not in self._by_name:
                    continue
                source, answer = ((self._by_name[row[n]], int(row[n + 1])) for n in (1, 3))
                anchor = anchors[ends[k] : ends[k + 1]].tobytes()
                role: Role = ROLES[ROLES.index(row[0])]
                self._triplets.append(
                    Triplet(
                        role,
                        source,
                        answer,
                        latents[2 * k],
                        latents[2 * k + 1],
                        masks[k],
                        meshes[k],
                        anchor,
                    )
                )

    def __len__(self) -> int:
        return len(self._triplets)

    def __getitem__(self, index: int) -> Triplet:
        """One of the triplets."""
        return self._triplets[index]

    def __iter__(self) -> Iterator[Triplet]:
        """All triplets in order."""
        return iter(self._triplets)
