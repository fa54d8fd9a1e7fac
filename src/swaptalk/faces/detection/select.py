"""Choice of one person among the tracks of a clip, and the contact sheet to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.detection.track import TrackedFace, TrackedFrame
from swaptalk.faces.geometry.pose import eye_distance

#: Side of a thumbnail and of a cell of the contact sheet in pixels.
THUMBNAIL_SIZE = 192
#: A thumbnail shows this multiple of the face's box.
THUMBNAIL_MARGIN = 1.6
#: Words choose among people seen in at least this share of the frames in which the most seen one
#: is: passers-by do not become "left".
MINIMUM_SHARE = 0.2
#: A new thumbnail must be better by this factor, so that few are cut.
_BETTER = 1.1
_LABEL_HEIGHT = 40
_COLUMNS = 6


@dataclass
class FaceSummary:
    """What is known of one track: ``number`` is what the user types (from 1, in order of
    appearance).
    """

    track: int
    frames: int = 0
    usable_frames: int = 0
    first_frame: int = 0
    thumbnail: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros((THUMBNAIL_SIZE,) * 2 + (3,), np.uint8)
    )
    _area: float = 0.0
    _x: float = 0.0
    _quality: float = 0.0

    @property
    def number(self) -> int:
        """The user's number of this person."""
        return self.track + 1

    @property
    def prominence(self) -> float:
        """Size times time on screen: the sum over frames of the squared eye distance."""
        return self._area

    @property
    def horizontal(self) -> float:
        """Mean position across the picture, 0 left to 1 right."""
        return self._x / max(self.frames, 1)

    def count(self, points: NDArray[np.float32], usable: bool, frame: int, width: int) -> None:
        """Count one more frame of this person, whose mesh (468, 3) lies in a picture of this
        width.
        """
        if self.frames == 0:
            self.first_frame = frame
        self.frames += 1
        self.usable_frames += usable
        self._area += eye_distance(points) ** 2
        self._x += float(points[:, 0].mean()) / width

    def take(self, other: FaceSummary) -> None:
        """Merge the counts of another number of the same person."""
        self.first_frame = min(self.first_frame, other.first_frame)
        self.frames += other.frames
        self.usable_frames += other.usable_frames
        self._area += other._area
        self._x += other._x
        if other._quality > self._quality:
            self._quality, self.thumbnail = other._quality, other.thumbnail

    def show(self, face: TrackedFace, picture: NDArray[np.uint8]) -> None:
        """Keep a thumbnail if this one is better than those before."""
        size = eye_distance(face.landmarks.points)
        quality = size * float(np.cos(np.radians(face.pose.yaw))) * (1.0 if face.usable else 0.3)
        if quality > _BETTER * self._quality:
            self._quality = quality
            self.thumbnail = thumbnail(picture, face.box)


def thumbnail(picture: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A square picture (192, 192, 3) of what a (left, top, right, bottom) box shows, with
    surroundings.
    """
    side = float(max(box[2] - box[0], box[3] - box[1])) * THUMBNAIL_MARGIN
    scale = THUMBNAIL_SIZE / max(side, 1.0)
    corner = (box[:2] + box[2:]) / 2 - side / 2
    matrix = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]], np.float64)
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(picture, matrix, (THUMBNAIL_SIZE, THUMBNAIL_SIZE), flags=kind), np.uint8
    )


class FaceSelector:
    """Collects what the choice needs while the clip is tracked; memory grows with the people, not
    with the frames.
    """

    def __init__(self) -> None:
        self._found: dict[int, FaceSummary] = {}

    def add(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Take the next frame's faces and its RGB picture (H, W, 3) uint8."""
        for one in frame.renumbered:
            known, person = self._found.get(one.track), self._found.get(one.person)
            # A number that was right at first stays: what was counted since cannot be taken apart.
            if known is not None and person is not None and known.first_frame >= one.since:
                person.take(self._found.pop(one.track))
        for face in frame.faces:
            self.count(
                face.track, face.landmarks.points, face.usable, frame.index, picture.shape[1]
            )
            self._found[face.track].show(face, picture)

    def count(
        self, track: int, points: NDArray[np.float32], usable: bool, frame: int, width: int
    ) -> None:
        """Take one face without its picture: enough to choose, not for a contact sheet."""
        self._found.setdefault(track, FaceSummary(track)).count(points, usable, frame, width)

    @property
    def faces(self) -> list[FaceSummary]:
        """Summaries of all people, in order of their numbers."""
        return [self._found[track] for track in sorted(self._found)]

    def choose(self, which: str) -> tuple[int, ...]:
        """Tracks meant by ``largest``, ``left``, ``right`` or a number of the contact sheet; empty
        if no face was seen.

        Raises:
            InputError: the word is unknown, or no person has this number.
        """
        return choose_tracks(self.faces, which)

    def contact_sheet(self) -> NDArray[np.uint8]:
        """Numbered picture of all people; see :func:`contact_sheet`."""
        return contact_sheet(self.faces)


def choose_tracks(faces: Sequence[FaceSummary], which: str) -> tuple[int, ...]:
    """Choose as :meth:`FaceSelector.choose` does.

    Raises:
        InputError: ``which`` is no choice, or no face has that number.
    """
    word = which.strip().lower()
    if word.isdecimal():
        return _choose_number(faces, int(word))
    if word not in ("largest", "left", "right"):
        raise InputError(
            f"unknown face {which!r}",
            remedy="use largest, left, right or a number from --list-faces",
        )
    if not faces:
        return ()
    enough = MINIMUM_SHARE * max(f.frames for f in faces)
    # People whose face can be replaced come first; if there are none the caller reports why.
    present = [f for f in faces if f.frames >= enough and f.usable_frames] or [
        f for f in faces if f.frames >= enough
    ]
    if word == "largest":
        return (max(present, key=lambda f: f.prominence).track,)
    pick = min if word == "left" else max
    return (pick(present, key=lambda f: f.horizontal).track,)


def _choose_number(faces: Sequence[FaceSummary], number: int) -> tuple[int, ...]:
    chosen = [f.track for f in faces if f.number == number]
    if chosen:
        return (chosen[0],)
    if not faces:
        raise InputError(
            f"there is no face {number}: no face was found", remedy="give a video that shows a face"
        )
    known = ", ".join(str(f.number) for f in faces[:20])
    numbers = f"face {known} exists" if len(faces) == 1 else f"faces {known} exist"
    raise InputError(
        f"there is no face {number}: {numbers}",
        remedy="look at the picture that --list-faces writes",
    )


def contact_sheet(faces: Sequence[FaceSummary]) -> NDArray[np.uint8]:
    """RGB picture (H, W, 3) with one numbered thumbnail per person, up to six in a row."""
    columns = max(1, min(_COLUMNS, len(faces)))
    rows = max(1, -(-len(faces) // columns))
    cell = THUMBNAIL_SIZE + _LABEL_HEIGHT
    sheet = np.full((rows * cell, columns * THUMBNAIL_SIZE, 3), 24, np.uint8)
    for position, face in enumerate(faces):
        top, left = position // columns * cell, position % columns * THUMBNAIL_SIZE
        sheet[top + _LABEL_HEIGHT : top + cell, left : left + THUMBNAIL_SIZE] = face.thumbnail
        label = np.ascontiguousarray(sheet[top : top + _LABEL_HEIGHT, left : left + THUMBNAIL_SIZE])
        cv2.putText(
            label,
            str(face.number),
            (8, 30),
            cv2.FONT_HERSHEY_SIMPLEX,
            1.0,
            (255, 255, 255),
            2,
            cv2.LINE_AA,
        )
        text = f"{face.frames} frames" + ("" if face.usable_frames else ", unusable")
        cv2.putText(
            label, text, (52, 27), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (200, 200, 200), 1, cv2.LINE_AA
        )
        sheet[top : top + _LABEL_HEIGHT, left : left + THUMBNAIL_SIZE] = label
    return sheet
