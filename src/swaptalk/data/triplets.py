"""Triplets with real answers for the swap: two pictures of one person and one of another.

Person P has pictures A and B, person Q another. The pseudo target is B wearing Q's face; the
network sees the composite of A on it, and the answer is the real picture B (compare DreamID, arXiv
2504.14509, and FSTriplets, arXiv 2204.08339). Role pairs have a clean real target of somebody else;
their composite is only an anchor, and identity is what they teach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.degrade import degrade, relight
from swaptalk.data.frames import Frame, FrameSampler
from swaptalk.data.repose import repose
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
from swaptalk.faces.geometry.topology import POINT_COUNT
from swaptalk.models.swap import MASK_DETAIL

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
