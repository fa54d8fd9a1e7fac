"""How each person in the target usually looks: samples noted while faces are followed, a model of
the chosen one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.track import TrackedFrame
from swaptalk.faces.editing.occlusion import (
    AppearanceCollector,
    AppearanceModel,
    SampleSchedule,
    texel_count,
    unroll,
)
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.pipeline.analysis.candidates import CandidateWriter

#: People whose looks are noted at one time; beyond, the one seen least begins anew.
MAXIMUM_PEOPLE = 12
#: One frame in so many is looked at: neighbours look alike.
EVERY = 3
#: One noted look in so many of a person may become a reference: its picture is kept until they are
#: chosen.
CANDIDATE_EVERY = 2


def look_record() -> np.dtype[np.void]:
    """Type of one note: who, in which frame, and the features (K, 4).

    Half precision is far finer than the tolerances that the features are compared with.
    """
    return np.dtype([("track", "<i4"), ("frame", "<i4"), ("features", "<f2", (texel_count(), 4))])


class Appearances:
    """Notes looks of the people of a clip in a file; memory does not grow with its length.

    Args:
        path: the file.
        candidates: where the pictures of frames go that may become references.
    """

    def __init__(self, path: Path, candidates: CandidateWriter) -> None:
        self._file, self._candidates = path.open("wb"), candidates
        self._record = look_record()
        self._noted: dict[int, int] = {}
        self._schedules: dict[int, SampleSchedule] = {}
        self._frames: dict[int, int] = {}

    def add(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Take the usable faces of the next frame and its picture (H, W, 3)."""
        if frame.index % EVERY:
            return
        for face in frame.faces:
            if face.usable:
                self._frames[face.track] = self._frames.get(face.track, 0) + 1
                if self._schedules.setdefault(face.track, SampleSchedule()).take():
                    alignment = estimate_alignment(face.landmarks.xy)
                    features = unroll(
                        crop_face(picture, alignment), alignment.to_crop(face.landmarks.xy)
                    )
                    self._file.write(
                        np.array([(face.track, frame.index, features)], self._record).tobytes()
                    )
                    count = self._noted.get(face.track, 0)
                    if count % CANDIDATE_EVERY == 0:
                        self._candidates.add(face.track, frame.index, picture, alignment)
                    self._noted[face.track] = count + 1
        if len(self._schedules) > MAXIMUM_PEOPLE:
            del self._schedules[min(self._schedules, key=lambda track: self._frames[track])]

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()


def _looks(path: Path, tracks: Collection[int], frames: int) -> Iterator[np.void]:
    """The notes on these tracks in the first ``frames`` frames, in order."""
    record = look_record()
    with path.open("rb") as file:
        while raw := file.read(record.itemsize):
            look = np.frombuffer(raw, record)[0]
            if look["track"] in tracks and look["frame"] < frames:
                yield look


def candidate_frames(path: Path, tracks: Collection[int], frames: int) -> NDArray[np.intp]:
    """Of the first ``frames`` frames those that may become references of these tracks, in order,
    (C,).
    """
    noted: dict[int, list[int]] = {}
    for look in _looks(path, tracks, frames):
        noted.setdefault(int(look["track"]), []).append(int(look["frame"]))
    return np.unique(
        np.array([frame for one in noted.values() for frame in one[::CANDIDATE_EVERY]], np.intp)
    )


def read_appearance(path: Path, tracks: Collection[int], frames: int) -> AppearanceModel | None:
    """Looks, in the first ``frames`` frames, of the first of these tracks that was seen often
    enough, or None.
    """
    collectors = {track: AppearanceCollector() for track in tracks}
    for look in _looks(path, tracks, frames):
        collectors[int(look["track"])].keep(look["features"])
    models = (collector.model() for collector in collectors.values())
    return next((model for model in models if model is not None), None)
