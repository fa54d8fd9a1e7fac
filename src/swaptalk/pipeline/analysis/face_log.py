"""Log of all faces of a target on disk: every face of every frame is noted before it is known
whom and how much a job needs.

The log of a whole target serves each job on its beginning: what is noted of a frame never depends
on later ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.people import Renumbering, corrected_numbers
from swaptalk.faces.detection.select import FaceSelector
from swaptalk.faces.detection.track import TrackedFace, TrackedFrame
from swaptalk.faces.editing.exposure import face_light
from swaptalk.faces.geometry.topology import POINT_COUNT
from swaptalk.pipeline.analysis.reference_log import read_candidates

#: One face in one frame. Meshes stay in float32: half precision is too coarse for pixels of large
#: pictures.
RECORD = np.dtype(
    [
        ("frame", "<i4"),
        ("track", "<i4"),
        ("reason", "u1"),
        ("light", "<f4"),
        ("shade", "<f4"),
        ("pose", "<f4", (3,)),
        ("mesh", "<f4", (POINT_COUNT, 3)),
    ]
)
#: Files of a log: faces, candidates for references, and what is known of the whole.
FACES, REFERENCES, LOG_RECORD = "faces.log", "references.log", "log.json"
#: Pictures of faces that may become references; a template has the codes instead.
CANDIDATES = "candidates.bin"
#: Records read at once.
_BLOCK = 256
#: Reasons of frames in which the chosen person is not seen: nobody is, or others are; and of those
#: in which the light has gone, or all is white.
NO_FACE, OTHERS, TOO_DARK, TOO_PALE = "no face", "only other faces", "too dark", "too pale"
#: Reasons that every log has, by number; number 0 is a usable face.
FIXED_REASONS = ("", NO_FACE, OTHERS, TOO_DARK, TOO_PALE)
NO_FACE_NUMBER, OTHERS_NUMBER, TOO_DARK_NUMBER, TOO_PALE_NUMBER = 1, 2, 3, 4


class FaceLog:
    """Appends all faces of each frame to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        #: Reasons why a frame is left alone, by number.
        self.reasons = list(FIXED_REASONS)
        #: First frames of new scenes.
        self.cuts: list[int] = []
        #: Corrections of numbers.
        self.renumbered: list[Renumbering] = []

    def append(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Store the faces of the next frame, whose RGB picture is (H, W, 3) uint8."""
        if frame.cut:
            self.cuts.append(frame.index)
        self.renumbered += frame.renumbered
        if frame.faces:
            self._file.write(
                np.array(
                    [self._record(frame.index, face, picture) for face in frame.faces], RECORD
                ).tobytes()
            )

    def _record(
        self, index: int, face: TrackedFace, picture: NDArray[np.uint8]
    ) -> tuple[object, ...]:
        reason = "" if face.usable else face.reason
        if reason not in self.reasons:
            self.reasons.append(reason)
        return (
            index,
            face.track,
            self.reasons.index(reason),
            *face_light(picture, face.landmarks.xy),
            face.pose.vector,
            face.landmarks.points,
        )

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()

    def __enter__(self) -> FaceLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def face_log_record(
    reasons: list[str], cuts: list[int], width: int, renumbered: Iterable[Renumbering]
) -> str:
    """Content of the file that completes a log; ``width`` is that of the pictures."""
    numbers = [list(astuple(one)) for one in renumbered]
    return json.dumps({"reasons": reasons, "cuts": cuts, "width": width, "renumbered": numbers})


class FaceLogReader:
    """Reads a finished log, or the beginning of one.

    Args:
        folder: where it lies.
        frames: only so many frames are seen.
    """

    def __init__(self, folder: Path, frames: int) -> None:
        record = json.loads((folder / LOG_RECORD).read_text(encoding="utf-8"))
        self._folder, self.frames = folder, frames
        self.reasons: list[str] = list(record["reasons"])
        self.cuts: list[int] = [cut for cut in record["cuts"] if cut < frames]
        self._width = int(record["width"])
        #: Corrections of numbers that are known at the end of these frames.
        self.renumbered = [
            one
            for one in (Renumbering(*numbers) for numbers in record["renumbered"])
            if one.known < frames
        ]

    def _records(self) -> Iterator[np.ndarray[tuple[int], np.dtype[np.void]]]:
        with (self._folder / FACES).open("rb") as file:
            while raw := file.read(_BLOCK * RECORD.itemsize):
                block = np.frombuffer(raw, RECORD)
                block = block[block["frame"] < self.frames]  # a copy
                if not len(block):
                    return
                block["track"] = corrected_numbers(block["track"], block["frame"], self.renumbered)
                yield block

    def faces(self, tracks: Iterable[int]) -> Iterator[np.void]:
        """At most one record of these tracks for every frame, in the order of frames."""
        wanted = np.array(sorted(tracks))
        last = -1
        for block in self._records():
            for record in block[np.isin(block["track"], wanted)]:
                if record["frame"] != last:
                    last = int(record["frame"])
                    yield record

    def with_faces(self) -> NDArray[np.bool_]:
        """Frames (N,) in which anybody is seen."""
        seen = np.zeros(self.frames, np.bool_)
        for block in self._records():
            seen[block["frame"]] = True
        return seen

    def selector(self) -> FaceSelector:
        """Selector filled with all people of the log."""
        selector = FaceSelector()
        for block in self._records():
            for record in block:
                selector.count(
                    int(record["track"]),
                    record["mesh"],
                    record["reason"] == 0,
                    int(record["frame"]),
                    self._width,
                )
        return selector

    def light(self, tracks: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Levels of these tracks' skin and of the darkest things around it in every frame (N,),
        see `face_light`; 0 where they are not seen.
        """
        light, shade = np.zeros((2, self.frames), np.float32)
        for record in self.faces(tracks):
            light[record["frame"]], shade[record["frame"]] = record["light"], record["shade"]
        return light, shade

    def candidates(self, tracks: tuple[int, ...]) -> NDArray[np.float32]:
        """Share of the face (N,) that is covered in frames of these tracks that may become
        references; NaN in all others.
        """
        return read_candidates(self._folder / REFERENCES, tracks, self.frames, self.renumbered)


def by_frame(records: Iterable[np.void], count: int) -> Iterator[np.void | None]:
    """The records spread over ``count`` frames, None where there is none."""
    waiting = iter(records)
    record = next(waiting, None)
    for frame in range(count):
        if record is not None and record["frame"] == frame:
            yield record
            record = next(waiting, None)
        else:
            yield None
