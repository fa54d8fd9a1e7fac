"""The source: the person whose face goes into the video, found in one or more photos."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.editing.detail import FINE, FINER_THAN_CROP
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.photo_check import PhotoWarning, photo_warnings
from swaptalk.faces.geometry.align import CROP_SIZE, crop_face, estimate_alignment
from swaptalk.faces.geometry.pose import eye_distance
from swaptalk.media.image import read_image

#: Faces smaller than this share of the largest one in a photo are passers-by, not a second person
#: to choose from.
BYSTANDER_SHARE = 0.4
#: Outer eye corners nearer than this (pixels) give a source too blurred to be recognised.
SMALLEST_EYE_DISTANCE = 16.0
#: Mean cosine of MobileFaceNet to the other photos below which one shows somebody else: photos of
#: one person have .82 on average, those of two .03.
SAME_PERSON = 0.3
#: Faces that stay ready for the next job of an engine: one person is often shown in many videos.
READY_FACES = 4
#: Takes off a face what covers it.
Uncover: TypeAlias = Callable[[FacePhoto], FacePhoto]


class ReadyFaces:
    """Uncovers faces of photos, and keeps the last ones: by what the photos show, not by their
    names. For use from several threads.

    Args:
        most: so many are kept.
    """

    def __init__(self, most: int = READY_FACES) -> None:
        self._most = most
        self._faces: OrderedDict[bytes, FacePhoto] = OrderedDict()
        self._lock = Lock()

    def __call__(self, face: FacePhoto) -> FacePhoto:
        """`FacePhoto.uncovered`."""
        parts = (face.crop, face.mesh, *(() if face.fine is None else (face.fine,)))
        key = sha256(b"".join(part.tobytes() for part in parts)).digest()
        with self._lock:
            found = self._faces.get(key)
        if found is None:
            found = face.uncovered()
        with self._lock:
            self._faces[key] = found
            self._faces.move_to_end(key)
            while len(self._faces) > self._most:
                self._faces.popitem(last=False)
        return found


def source_face(
    path: Path,
    choice: str | None,
    analyser: FaceAnalyser,
    uncover: Uncover = FacePhoto.uncovered,
) -> tuple[FacePhoto, list[PhotoWarning]]:
    """Find the person in a photo, and check the photo.

    Args:
        path: the photo.
        choice: ``largest``, ``left``, ``right``, a number counted from the left (1-based), or None
            where only one person may be seen.
        analyser: finds the faces.
        uncover: `FacePhoto.uncovered`, or what remembers it.

    Raises:
        InputError: no face, several without a choice, no such number, or too small a face.
    """
    photo = read_image(path)
    faces = analyser.faces(photo)
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
    fine = None
    if alignment.scale * FINER_THAN_CROP <= 1:
        fine = crop_face(photo, alignment, enlargement=FINE // CROP_SIZE)
    found = FacePhoto(crop_face(photo, alignment), alignment.to_crop(face.points), fine)
    return uncover(found), photo_warnings(found.crop, found.mesh, alignment)


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


@dataclass(frozen=True)
class Source:
    """Photos of one person, and the warnings about each."""

    photos: tuple[FacePhoto, ...]
    warnings: tuple[tuple[Path, PhotoWarning], ...] = ()


def read_source(
    paths: Sequence[Path],
    choice: str | None,
    analyser: FaceAnalyser,
    uncover: Uncover = FacePhoto.uncovered,
) -> Source:
    """Find the person in all of the photos; arguments as of `source_face`.

    Raises:
        InputError: as :func:`source_face`, or the photos show different people.
    """
    found = [source_face(path, choice, analyser, uncover) for path in paths]
    faces = [face for face, _ in found]
    if len(faces) > 1 and analyser.recogniser is not None:
        _check_one_person(
            paths, [analyser.recogniser.of_crop(face.as_photographed) for face in faces]
        )
    warnings = [
        (path, warning)
        for path, (_, of_photo) in zip(paths, found, strict=True)
        for warning in of_photo
    ]
    return Source(tuple(faces), tuple(warnings))


def _check_one_person(paths: Sequence[Path], directions: Sequence[NDArray[np.float32]]) -> None:
    """Refuse photos of different people, naming the one that is least like the others."""
    unit = np.stack([direction / np.linalg.norm(direction) for direction in directions])
    alike = unit @ unit.T
    others = (alike.sum(axis=1) - 1) / (len(unit) - 1)
    odd = int(np.argmin(others))
    if others[odd] < SAME_PERSON:
        raise InputError(
            "shows somebody else than the other photos",
            path=paths[odd],
            remedy="give photos of one person, or leave this one out",
        )


class UnreadSource:
    """Lazy source: photos are read only if a stored swap is missing, or a face is large enough for
    their detail. For use from several threads.

    Args:
        read: reads them; raises as :func:`read_source`.
    """

    def __init__(self, read: Callable[[], Source]) -> None:
        self._read = read
        self._source: Source | None = None
        self._one_reads = Lock()

    @property
    def photos(self) -> tuple[FacePhoto, ...]:
        """As :attr:`Source.photos`."""
        with self._one_reads:
            if self._source is None:
                self._source = self._read()
            return self._source.photos


#: A source that was read, or will be if needed.
AnySource: TypeAlias = Source | UnreadSource
