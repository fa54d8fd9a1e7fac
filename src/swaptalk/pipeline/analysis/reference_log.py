"""Frames that may become references, noted while faces are followed: how much of the face is
covered, and its surroundings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.people import Renumbering, corrected_numbers
from swaptalk.faces.detection.track import TrackedFrame
from swaptalk.faces.editing.occlusion import OcclusionNetwork
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.pipeline.analysis.candidates import CandidateWriter

#: People whose frames are noted at one time; beyond, the one seen least begins anew.
MAXIMUM_PEOPLE = 12
#: One frame in so many is looked at: neighbours look alike.
EVERY = 6
#: Frames of a person that are noted, evenly spread however long the clip is; up to twice as many.
SAMPLES = 24
#: One note: who, in which frame, and the share of the face that something lies in front of.
CANDIDATE_RECORD = np.dtype([("track", "<i4"), ("frame", "<i4"), ("covered", "<f4")])


class SampleSchedule:
    """Which of a face's frames are noted: a number that hardly grows, evenly spread however many
    there will be.
    """

    def __init__(self) -> None:
        self._every, self._seen, self._kept = 1, 0, 0

    def take(self) -> bool:
        """Whether the next frame is one of them."""
        taken = self._seen % self._every == 0
        self._seen += 1
        if taken:
            self._kept += 1
            if self._kept > 2 * SAMPLES:
                self._kept = -(-self._kept // 2)
                self._every *= 2
        return taken


class ReferenceLog:
    """Notes candidates of everybody in a file.

    Args:
        path: the file.
        candidates: where the surroundings of their faces go.
    """

    def __init__(self, path: Path, candidates: CandidateWriter) -> None:
        self._file, self._candidates = path.open("wb"), candidates
        self._schedules: dict[int, SampleSchedule] = {}
        self._frames: dict[int, int] = {}

    @cached_property
    def _occlusion(self) -> OcclusionNetwork:
        return OcclusionNetwork()

    def add(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Take the usable faces of the next frame and its picture (H, W, 3)."""
        if frame.index % EVERY:
            return
        for face in frame.faces:
            if not face.usable:
                continue
            self._frames[face.track] = self._frames.get(face.track, 0) + 1
            if self._schedules.setdefault(face.track, SampleSchedule()).take():
                alignment = estimate_alignment(face.landmarks.xy)
                covered = self._occlusion.share(
                    crop_face(picture, alignment), alignment.to_crop(face.landmarks.xy)
                )
                note = np.array([(face.track, frame.index, covered)], CANDIDATE_RECORD)
                self._file.write(note.tobytes())
                self._candidates.add(face.track, frame.index, picture, alignment)
        if len(self._schedules) > MAXIMUM_PEOPLE:
            del self._schedules[min(self._schedules, key=lambda track: self._frames[track])]

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()


def read_candidates(
    path: Path, tracks: Collection[int], frames: int, renumbered: Iterable[Renumbering]
) -> NDArray[np.float32]:
    """Share of the face that is covered in the candidates of these tracks among the first
    ``frames`` frames (N,); NaN in frames that are none.
    """
    notes = np.fromfile(path, CANDIDATE_RECORD)
    notes = notes[notes["frame"] < frames]
    numbers = corrected_numbers(notes["track"], notes["frame"], renumbered)
    chosen = notes[np.isin(numbers, np.array(sorted(tracks)))]
    covered = np.full(frames, np.nan, np.float32)
    covered[chosen["frame"]] = chosen["covered"]
    return covered
