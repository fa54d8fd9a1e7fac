"""The person who shall be seen: from photos to what the swap network needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.align import crop_face, estimate_alignment
from swaptalk.faces.landmarks import Landmarks
from swaptalk.faces.pose import eye_distance
from swaptalk.media.image import read_image
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.vision import Vision

#: Faces smaller than this share of the largest one in a photo are passers-by, not a second person to choose from.
BYSTANDER_SHARE = 0.4
#: Outer eye corners nearer than this (pixels) give a source too blurred to be recognised.
SMALLEST_EYE_DISTANCE = 16.0


def source_crop(path: Path, choice: str | None, vision: Vision) -> NDArray[np.uint8]:
    """Aligned crop (256, 256, 3) of the person in a photo.

    Args:
        path: the photo.
        choice: ``largest``, ``left``, ``right``, a number counted from the left (1-based), or None where only one
            person may be seen.
        vision: finds the faces.

    Raises:
        InputError: no face, several without a choice, no such number, or too small a face.
    """
    photo = read_image(path)
    faces = vision.faces(photo)
    if not faces:
        raise InputError("no face was found in it", path=path,
                         remedy="give a photo that shows one face from the front, larger and in better light")
    face = _choose(faces, choice, path)
    if eye_distance(face.points) < SMALLEST_EYE_DISTANCE:
        raise InputError("the face is too small to be recognised", path=path, remedy="give a larger photo of the face")
    return crop_face(photo, estimate_alignment(face.xy))


def _choose(faces: Sequence[Landmarks], choice: str | None, path: Path) -> Landmarks:
    """``faces`` are sorted from left to right."""
    sizes = [eye_distance(face.points) for face in faces]
    if choice is not None and choice.isdigit():
        if not 1 <= int(choice) <= len(faces):
            raise InputError(f"there is no face {choice}, {len(faces)} were found", path=path,
                             remedy=f"give --source-face a number from 1 (left) to {len(faces)} (right)")
        return faces[int(choice) - 1]
    people = [face for face, size in zip(faces, sizes, strict=True) if size >= BYSTANDER_SHARE * max(sizes)]
    if choice is None and len(people) > 1:
        raise InputError(f"{len(people)} people are in the photo", path=path,
                         remedy="say who with --source-face largest, left, right or a number from the left, or crop it")
    if choice in ("left", "right"):
        return people[0] if choice == "left" else people[-1]
    return faces[int(np.argmax(sizes))]


def source_identity(paths: Sequence[Path], choice: str | None, vision: Vision, networks: Networks) -> Any:
    """Identity of the person, averaged over the photos.

    Raises:
        InputError: as :func:`source_crop`.
    """
    crops = np.stack([source_crop(path, choice, vision) for path in paths])
    return networks.identity(networks.encode(crops))
