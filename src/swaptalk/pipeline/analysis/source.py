"""The source: from photos of a person to the swap network's keys and values.

The network follows the target's pose better if the source points the same way, so each photo is
turned there first (measured in docs/guides/evaluate.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import Vision
from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.pose import Pose, estimate_pose, eye_distance
from swaptalk.media.image import read_image
from swaptalk.pipeline.networks import Networks

#: Faces smaller than this share of the largest one in a photo are passers-by, not a second person
#: to choose from.
BYSTANDER_SHARE = 0.4
#: Outer eye corners nearer than this (pixels) give a source too blurred to be recognised.
SMALLEST_EYE_DISTANCE = 16.0


class SourceFace(NamedTuple):
    """Face in a photo: aligned crop (256, 256, 3) uint8 RGB, and mesh (468, 3) in its pixels."""

    crop: NDArray[np.uint8]
    mesh: NDArray[np.float32]


def source_face(path: Path, choice: str | None, vision: Vision) -> SourceFace:
    """The person in a photo.

    Args:
        path: the photo.
        choice: ``largest``, ``left``, ``right``, a number counted from the left (1-based), or None
            where only one person may be seen.
        vision: finds the faces.

    Raises:
        InputError: no face, several without a choice, no such number, or too small a face.
    """
    photo = read_image(path)
    faces = vision.faces(photo)
    if not faces:
        raise InputError(
            "no face was found in it",
            path=path,
            remedy="give a photo that shows one face from the front, larger and in better light",
        )
    face = _choose(faces, choice, path)
    if eye_distance(face.points) < SMALLEST_EYE_DISTANCE:
        raise InputError(
            "the face is too small to be recognised",
            path=path,
            remedy="give a larger photo of the face",
        )
    alignment = estimate_alignment(face.xy)
    return SourceFace(crop_face(photo, alignment), alignment.to_crop(face.points))


def _choose(faces: Sequence[Landmarks], choice: str | None, path: Path) -> Landmarks:
    """``faces`` are sorted from left to right."""
    sizes = [eye_distance(face.points) for face in faces]
    if choice is not None and choice.isdigit():
        if not 1 <= int(choice) <= len(faces):
            raise InputError(
                f"there is no face {choice}, {len(faces)} were found",
                path=path,
                remedy=f"give --source-face a number from 1 (left) to {len(faces)} (right)",
            )
        return faces[int(choice) - 1]
    people = [
        face
        for face, size in zip(faces, sizes, strict=True)
        if size >= BYSTANDER_SHARE * max(sizes)
    ]
    if choice is None and len(people) > 1:
        raise InputError(
            f"{len(people)} people are in the photo",
            path=path,
            remedy="say who with --source-face largest, left, right or a number from the left, or "
            "crop it",
        )
    if choice in ("left", "right"):
        return people[0] if choice == "left" else people[-1]
    return faces[int(np.argmax(sizes))]


class Source:
    """One person's photos.

    Args:
        faces: the person in each photo.
        networks: encode them.
    """

    def __init__(self, faces: Sequence[SourceFace], networks: Networks) -> None:
        self._faces, self._networks = faces, networks
        self._poses = [estimate_pose(face.mesh) for face in faces]

    def identity(self, pose: Pose) -> Any:
        """Return the source's input to ``networks.swap`` for targets in about this pose."""
        turned = [
            turn_face(
                face.crop,
                face.mesh,
                Pose(pose.yaw - own.yaw, pose.pitch - own.pitch, pose.roll - own.roll),
            )
            for face, own in zip(self._faces, self._poses, strict=True)
        ]
        return self._networks.identity(self._networks.encode(np.stack(turned)))


def read_source(
    paths: Sequence[Path], choice: str | None, vision: Vision, networks: Networks
) -> Source:
    """Read the person from all photos.

    Raises:
        InputError: as :func:`source_face`.
    """
    return Source([source_face(path, choice, vision) for path in paths], networks)


class UnreadSource:
    """Lazy source: photos are decoded only if a stored swap is missing.

    Args:
        read: reads the photos; raises as :func:`source_face`.
    """

    def __init__(self, read: Callable[[], Source]) -> None:
        self._read = read

    @cached_property
    def _source(self) -> Source:
        return self._read()

    def identity(self, pose: Pose) -> Any:
        """As :meth:`Source.identity`."""
        return self._source.identity(pose)


#: A source that has been looked at, or need not be.
AnySource: TypeAlias = Source | UnreadSource
