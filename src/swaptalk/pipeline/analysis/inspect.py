"""Inspection of a photo or video before a job: people, their usable frames, and what is wrong with
the others.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.detection.people import Renumbering, corrected_numbers
from swaptalk.faces.detection.select import FaceSelector
from swaptalk.faces.detection.track import TrackedFace, TrackedFrame
from swaptalk.faces.geometry.topology import FACE_OVAL
from swaptalk.pipeline.analysis.analyse import find_faces
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.plan import Plan, make_plan
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.report import Stopwatch

#: Positions of a face noted in a second of video, and most of them in a whole one: longer videos
#: are noted more rarely.
TRACK_RATE, TRACK_LENGTH = 5, 2000


@dataclass(frozen=True)
class Outline:
    """A face in the picture that is shown: its ``face`` number, and the oval (N, 2) as shares of
    width and height.
    """

    number: int
    oval: NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """The picture (H, W, 3) that shows most people so far, where in the file it is, and the faces
    in it.
    """

    frame: int
    picture: NDArray[np.uint8]
    outlines: tuple[Outline, ...]


@dataclass(frozen=True)
class Person:
    """One person: in ``frames`` frames, of which ``usable`` can be changed; for the others
    ``reasons`` counts why.

    ``number`` is what ``--face`` takes. ``thumbnail`` is a picture (192, 192, 3). ``track`` says
    where the face is: (seconds, x and y of its middle, height), the latter three as shares of the
    picture, :data:`TRACK_RATE` times a second.
    """

    number: int
    frames: int
    usable: int
    first_frame: int
    reasons: dict[str, int]
    thumbnail: NDArray[np.uint8]
    track: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Inspection:
    """All that was found in ``frames`` frames; ``people`` is empty where no face was seen."""

    frames: int
    view: View | None
    people: tuple[Person, ...]


class _Watcher:
    """Counts why faces cannot be changed, and keeps the first picture with most usable, then most
    faces.
    """

    def __init__(self, shown: Callable[[View], object], plan: Plan) -> None:
        self._fps = float(plan.fps)
        self._every = max(
            1, round(self._fps / TRACK_RATE), math.ceil(plan.playback.length / TRACK_LENGTH)
        )
        self.tracks: defaultdict[int, list[tuple[float, float, float, float]]] = defaultdict(list)
        self.reasons: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.view: View | None = None
        self._shown = shown
        self._best = (-1, -1)
        self._renumbered: list[Renumbering] = []

    def add(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Take the next frame."""
        self._renumbered += frame.renumbered
        for one in frame.renumbered:
            self.reasons[one.person] += self.reasons.pop(one.track, Counter())
            moved = self.tracks.pop(one.track, [])
            self.tracks[one.person] = sorted(self.tracks[one.person] + moved)
        for face in frame.faces:
            if not face.usable:
                self.reasons[face.track][face.reason] += 1
            if frame.index % self._every == 0:
                self.tracks[face.track].append(self._place(frame.index, face, picture))
        rank = (sum(face.usable for face in frame.faces), len(frame.faces))
        if rank <= self._best:
            return
        self._best = rank
        size = np.array([picture.shape[1], picture.shape[0]], np.float32)
        self.view = View(
            frame.index,
            picture.copy(),
            tuple(
                Outline(face.track + 1, (face.landmarks.xy[FACE_OVAL] / size).astype(np.float32))
                for face in frame.faces
            ),
        )
        self._shown(self.view)

    def corrected(self) -> View | None:
        """The picture, with the numbers as they are known in the end."""
        if self.view is None:
            return None
        faces = np.array([outline.number - 1 for outline in self.view.outlines], np.int32)
        frames = np.full(len(faces), self.view.frame)
        numbers = corrected_numbers(faces, frames, self._renumbered) + 1
        outlines = zip(numbers.tolist(), self.view.outlines, strict=True)
        return replace(
            self.view, outlines=tuple(Outline(number, one.oval) for number, one in outlines)
        )

    def _place(
        self, index: int, face: TrackedFace, picture: NDArray[np.uint8]
    ) -> tuple[float, float, float, float]:
        height, width = picture.shape[:2]
        left, top, right, bottom = (float(edge) for edge in face.box)
        return (
            round(index / self._fps, 3),
            round((left + right) / 2 / width, 4),
            round((top + bottom) / 2 / height, 4),
            round((bottom - top) / height, 4),
        )


def inspect_target(
    path: Path,
    analyser: FaceAnalyser,
    progress: Progress,
    shown: Callable[[View], object] = lambda view: None,
) -> Inspection:
    """Follow all faces through a video or photo, with the numbers that a job on it will use.

    Args:
        path: the file.
        analyser: finds faces.
        progress: told about every frame.
        shown: called with each picture that shows more people than those before, from the first
            face on.

    Raises:
        InputError: the file cannot be a target.
    """
    plan = make_plan(GenerateOptions(target=path), "faces")
    watcher = _Watcher(shown, plan)
    selector = find_faces(plan, analyser, progress, Stopwatch(), observer=watcher)
    return Inspection(plan.playback.length, watcher.corrected(), _people(selector, watcher))


def _people(selector: FaceSelector, watcher: _Watcher) -> tuple[Person, ...]:
    return tuple(
        Person(
            found.number,
            found.frames,
            found.usable_frames,
            found.first_frame,
            dict(watcher.reasons[found.track]),
            found.thumbnail,
            tuple(watcher.tracks[found.track]),
        )
        for found in selector.faces
    )


def left_to_right(inspection: Inspection) -> list[int]:
    """The faces of a photo in the order that ``--source-face`` counts them: their numbers, the
    leftmost first.
    """
    if inspection.view is None:
        return []
    outlines = sorted(
        inspection.view.outlines, key=lambda outline: float(outline.oval[:, 0].mean())
    )
    return [outline.number for outline in outlines]
