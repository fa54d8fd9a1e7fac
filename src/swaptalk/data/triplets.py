"""Triplets with real answers for the swap: two pictures of one person and one of another.

Person P has pictures A and B, person Q another. The pseudo target is B wearing Q's face; the
network sees the composite of A on it, and the answer is the real picture B (compare DreamID, arXiv
2504.14509, and FSTriplets, arXiv 2204.08339). Role pairs have a clean real target of somebody else;
their composite is only an anchor, and identity is what they teach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.data.degrade import degrade, relight
from swaptalk.data.faces import to_tensor
from swaptalk.data.frames import Frame, FrameSampler
from swaptalk.data.repose import repose
from swaptalk.data.store import decode_picture, encode_picture
from swaptalk.data.unit_arrays import save_array
from swaptalk.errors import InputError
from swaptalk.faces.editing.beard import Beards, compare_beards
from swaptalk.faces.editing.face_composite import (
    MASK_FADE,
    CompositeOptions,
    FaceComposite,
    composite_face,
    shape_difference,
)
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.mesh_warp import source_quality, warp_quality
from swaptalk.faces.editing.shading import measure_texture
from swaptalk.faces.editing.smile_folds import fold_share
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import POINT_COUNT
from swaptalk.models.swap import MASK_DETAIL
from swaptalk.models.vqgan import VQGAN

Role = Literal["cross", "self", "role"]
ROLES: tuple[Role, ...] = ("cross", "self", "role")
#: Shares of the roles: two pictures of P; one picture of P, as A reposed and relit; a clean target
#: of somebody else.
ROLE_SHARES = (0.45, 0.2, 0.35)
#: Share of the first two whose target is left as it is: a person in a picture of their own.
CLEAN_SHARE = 0.1
#: Pictures compared when one is looked for that suits another.
_ATTEMPTS = 4
#: Difference of head pose (degrees) that costs as much as the whole difference between good and bad
#: texture.
_POSE_SCALE = 60.0
#: Least share of its weight that a source keeps whose forehead is covered or whose light is hard.
_LEAST_SOURCE = 0.4
#: Least `warp_quality` of a source that was turned at random; below it the source is not turned.
_LEAST_TURNED = 0.8
#: Side of the stored masks.
MASK_SIZE = 16 * MASK_DETAIL
#: To be raised whenever triplets are made in another way: those of an earlier version are then not
#: mixed with new ones.
_VERSION = 7
#: Triplets in one file of the cache.
CHUNK = 256


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
class MadeTriplet:
    """A triplet as pictures."""

    role: Role
    source: Frame
    """Picture A."""
    answer: Frame
    """Picture B; the clean target of a role pair."""
    composite: FaceComposite
    photo: NDArray[np.uint8]
    """A (256, 256, 3) as the pipeline shows it to the network."""
    target: NDArray[np.uint8]
    """The pseudo target (256, 256, 3), or the clean one."""


class TripletMaker:
    """Makes triplet ``k`` of a seed, always the same one.

    Args:
        frames: where pictures come from; answers are drawn from those of people with several.
        seed: of the triplets.

    Raises:
        InputError: nobody has two pictures.
    """

    def __init__(self, frames: FrameSampler, seed: int) -> None:
        self._frames, self._seed = frames, seed
        if not frames.has_pairs:
            raise InputError(
                "no person has two pictures", path=frames.dataset.folder, remedy="prepare more data"
            )

    def __call__(self, number: int) -> MadeTriplet:
        """Draw the pictures of triplet ``number`` and make its composites."""
        rng = np.random.default_rng([self._seed, number])
        role: Role = ROLES[int(rng.choice(len(ROLES), p=ROLE_SHARES))]
        if role == "role":
            target = self._frames.draw(rng)
            source = self._suitable(target, rng, lambda: self._frames.somebody_else(target, rng))
            face = self._face(target)
            picture, mesh = face.crop, face.mesh
            photo = self._photo(source, mesh, rng, turn=rng.random() < 0.15)
            if compare_beards(photo.beard, face.beard) is Beards.SHAVEN:
                photo = photo.shaven
            answer = target
        else:
            answer = self._frames.draw(rng) if role == "self" else self._frames.draw_paired(rng)
            source = answer
            if role == "cross":
                source = self._suitable(answer, rng, lambda: self._frames.another(answer, rng))
            picture, mesh = self._pseudo_target(answer, rng)
            photo = self._photo(source, mesh, rng, turn=role == "self" or rng.random() < 0.2)
        photo = photo.shaded_like([measure_texture(picture, mesh)])
        composite = self._composite(photo, picture, mesh, role == "role", rng)
        light, folds = FacePhoto(picture, mesh).light, fold_share(photo.mesh, composite.mesh)
        seen = photo.brightened_for(light, folds)
        return MadeTriplet(role, source, answer, composite, seen, picture)

    def _face(self, frame: Frame) -> FacePhoto:
        dataset = self._frames.dataset
        return FacePhoto(
            dataset.picture(*frame), np.array(dataset.landmarks(frame[0])[frame[1]], np.float32)
        )

    def _photo(
        self, frame: Frame, target: NDArray[np.float32], rng: np.random.Generator, turn: bool
    ) -> FacePhoto:
        """Read picture A and vary its pose (``turn``), light, sharpness and compression."""
        face = self._face(frame).uncovered()
        crop, mesh = face.crop, face.mesh
        if turn:
            turned = repose(crop, mesh, rng)
            if warp_quality(turned[1], target) > _LEAST_TURNED:
                crop, mesh = turned
        if rng.random() < 0.6:
            crop = relight(crop, rng)
        if rng.random() < 0.25:
            crop = degrade(crop, rng)
        return FacePhoto(crop, mesh)

    def _suitable(self, of: Frame, rng: np.random.Generator, draw: Callable[[], Frame]) -> Frame:
        """Draw some pictures and choose the best source for another; in three of ten cases take
        any.
        """
        if rng.random() < 0.3:
            return draw()
        wanted, best = self._face(of), (-np.inf, of)
        for _ in range(_ATTEMPTS):
            frame = draw()
            face = self._face(frame)
            texture = source_quality(face.crop, face.mesh)
            quality = warp_quality(face.mesh, wanted.mesh) * (
                _LEAST_SOURCE + (1 - _LEAST_SOURCE) * texture
            )
            apart = float(np.abs(face.pose.vector - wanted.pose.vector)[:2].sum())
            best = max(best, (quality - apart / _POSE_SCALE, frame), key=lambda pair: pair[0])
        return best[1]

    def _pseudo_target(
        self, answer: Frame, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Give B somebody else's face: picture (256, 256, 3) and mesh (468, 3) of the face in
        it.
        """
        face = self._face(answer)
        if rng.random() < CLEAN_SHARE:
            return face.crop, face.mesh
        other = self._suitable(answer, rng, lambda: self._frames.somebody_else(answer, rng))
        photo = self._face(other)
        if rng.random() < 0.3:
            photo = FacePhoto(relight(photo.crop, rng), photo.mesh)
        wide = rng.random() < 0.5
        options = CompositeOptions(
            fade=float(rng.uniform(0.008, 0.03)) if wide else MASK_FADE,
            points=np.arange(POINT_COUNT) if wide and rng.random() < 0.5 else None,
            own_eyes=bool(rng.random() < 0.6),
            relight=bool(rng.random() < 0.85),
            glasses=False if face.has_glasses is False and rng.random() < 0.8 else None,
        )
        shape = float(rng.uniform(0, 1.2)) if rng.random() < 0.7 else 0.0
        difference = shape_difference([photo], face.shape, shape)
        made = composite_face(
            [photo], face.crop, face.mesh, difference, face.eyewear, options=options
        )
        picture = made.picture
        if rng.random() < 0.3:
            picture = degrade(picture, rng)
        return picture, made.mesh

    def _composite(
        self,
        photo: FacePhoto,
        target: NDArray[np.uint8],
        mesh: NDArray[np.float32],
        clean: bool,
        rng: np.random.Generator,
    ) -> FaceComposite:
        """Make the composite of A and the target as the pipeline does, with some variation. Only on
        ``clean`` targets a beard counts: on others the answer has A's.
        """
        wearer = FacePhoto(target, mesh)
        shape = 1.0 if rng.random() < 0.85 else float(rng.uniform(0, 1))
        options = CompositeOptions(
            fade=MASK_FADE if rng.random() < 0.8 else float(rng.uniform(0.015, 0.04)),
            glasses=True if rng.random() < 0.08 else None,
        )
        difference = shape_difference([photo], wearer.shape, shape)
        return composite_face(
            [photo],
            target,
            mesh,
            difference,
            wearer.eyewear,
            options=options,
            beard=clean and compare_beards(photo.beard, wearer.beard) is Beards.KEPT,
        )


class TripletCache:
    """Triplets made once and kept beside the cached embeddings; it can grow at any time.

    Args:
        folder: where they lie.
        maker: makes them.
        frames: names of pictures that may still be drawn; triplets of others stay on disk and are
            left out.
    """

    def __init__(self, folder: Path, maker: TripletMaker, frames: FrameSampler) -> None:
        self.folder = folder.with_name(f"{folder.name}-triplets{_VERSION}-{maker._seed}")
        self._maker = maker
        self._by_name = {item.name: item for item in frames.items}
        self._triplets: list[Triplet] = []

    def build(
        self,
        count: int,
        vqgan: VQGAN,
        device: torch.device | str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make what is missing of the first ``count`` triplets, in whole chunks, and open the
        cache.

        Args:
            count: triplets wanted.
            vqgan: frozen encoder.
            device: where it is.
            progress: called with (chunks done, chunks in all).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        chunks = -(-count // CHUNK)
        size = min(count, CHUNK) if chunks == 1 else CHUNK
        for chunk in range(chunks):
            if not self._complete(chunk):
                self._make(
                    chunk, [self._maker(chunk * CHUNK + k) for k in range(size)], vqgan, device
                )
            if progress is not None:
                progress(chunk + 1, chunks)
        self.load()

    def _path(self, chunk: int, part: str) -> Path:
        return self.folder / f"{chunk:05d}-{part}.npy"

    def _complete(self, chunk: int) -> bool:
        return self._path(chunk, "rows").exists()

    def _make(
        self, chunk: int, made: list[MadeTriplet], vqgan: VQGAN, device: torch.device | str
    ) -> None:
        pictures = [picture for one in made for picture in (one.composite.picture, one.photo)]
        latents = []
        for start in range(0, len(pictures), 32):
            faces = to_tensor(np.stack(pictures[start : start + 32])).to(device)
            with torch.inference_mode():
                latents.append(vqgan.encode(faces).half().cpu().numpy())
        masks = [
            cv2.resize(one.composite.mask, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA)
            for one in made
        ]
        anchors = [
            encode_picture(one.composite.picture) if one.role == "role" else b"" for one in made
        ]
        save_array(self._path(chunk, "latents"), np.concatenate(latents))
        save_array(self._path(chunk, "masks"), np.round(255 * np.stack(masks)).astype(np.uint8))
        save_array(
            self._path(chunk, "meshes"),
            np.stack([one.composite.mesh[:, :2] for one in made]).astype(np.float16),
        )
        save_array(self._path(chunk, "anchors"), np.frombuffer(b"".join(anchors), np.uint8))
        rows = [
            [
                one.role,
                one.source[0].name,
                str(one.source[1]),
                one.answer[0].name,
                str(one.answer[1]),
                str(len(anchor)),
            ]
            for one, anchor in zip(made, anchors, strict=True)
        ]
        save_array(self._path(chunk, "rows"), np.array(rows))  # last: the chunk is complete

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


def face_area(mesh: NDArray[np.floating], size: int = CROP_SIZE) -> NDArray[np.float32]:
    """Soft mask (size, size) of the convex hull of a mesh (468, 2) in crop pixels, 0..1."""
    canvas = np.zeros((size, size), np.uint8)
    points = np.asarray(mesh[:, :2], np.float32) * (size / CROP_SIZE)
    cv2.fillPoly(canvas, [np.round(cv2.convexHull(points)).astype(np.int32)], (255,))
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.012 * size), np.float32) / np.float32(255)
