"""Which face of a target is meant: by size, side, number or a photo."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.pipeline.analysis.face_log import FaceLogReader
from swaptalk.pipeline.analysis.source import SAME_PERSON, source_face
from swaptalk.pipeline.options import DEFAULT_FACE
from swaptalk.pipeline.people import like_photo
from swaptalk.pipeline.plan import Plan

#: Frames of each person that are compared with a photo.
COMPARED_FRAMES = 3

Tracks = tuple[int, ...]


def chosen_tracks(plan: Plan, log: FaceLogReader, analyser: FaceAnalyser) -> Tracks:
    """The tracks of the face that a job means; empty if no face was seen.

    Raises:
        InputError: there is no such face.
    """
    photo = like_photo(plan.options.face)
    if photo is not None:
        return _most_alike(plan, log, analyser, photo)
    return log.selector().choose(plan.options.face or DEFAULT_FACE)


def people_tracks(plan: Plan, log: FaceLogReader, analyser: FaceAnalyser) -> list[Tracks]:
    """The tracks of each person of a job, in order.

    Raises:
        InputError: naming the entry whose face is not there, or is another entry's too.
    """
    found: list[Tracks] = []
    for person in plan.people:
        assert person.entry is not None
        try:
            found.append(chosen_tracks(person, log, analyser))
        except InputError as error:
            raise person.entry.error(error.problem, error.remedy) from error
    for (before, tracks), (after, others) in itertools.combinations(
        zip(plan.people, found, strict=True), 2
    ):
        if set(tracks) & set(others):
            assert before.entry is not None and after.entry is not None
            raise after.entry.error(
                f'its face, number {tracks[0] + 1}, is that of "{before.entry.entry}" too',
                "choose them by the numbers of --list-faces",
            )
    return found


def _most_alike(plan: Plan, log: FaceLogReader, analyser: FaceAnalyser, photo: Path) -> Tracks:
    """The person who looks most like the largest face of a photo.

    Raises:
        InputError: nobody does.
    """
    recogniser = analyser.recogniser
    if recogniser is None:
        raise InputError(
            "people cannot be told apart without the recognition network",
            path=photo,
            remedy="fetch it with 'swaptalk models pull', or choose by number",
        )
    wanted = _unit(recogniser.of_crop(source_face(photo, "largest", analyser)[0].crop))
    places = {
        (face.track, frame): mesh
        for face in log.selector().faces
        for frame, mesh in _some_frames(log, face.track)
    }
    frames = sorted({frame for _, frame in places})
    vectors: dict[int, list[NDArray[np.float32]]] = {}
    with plan.open_target() as target:
        for frame, picture in zip(frames, target.frames(frames), strict=True):
            for (track, seen), mesh in places.items():
                if seen == frame:
                    crop = crop_face(picture, estimate_alignment(mesh[:, :2]))
                    vectors.setdefault(track, []).append(_unit(recogniser.of_crop(crop)))
    likeness = {
        track: float(wanted @ _unit(np.sum(seen, axis=0))) for track, seen in vectors.items()
    }
    best = max(likeness, key=lambda track: likeness[track], default=None)
    if best is None or likeness[best] < SAME_PERSON:
        nearest = "" if best is None else f"; nearest is number {best + 1}, by {likeness[best]:.2f}"
        raise InputError(
            f"nobody in the target looks like it (cosine of {SAME_PERSON:g} at least{nearest})",
            path=photo,
            remedy="give a photo of the person as the target shows them, or choose by number",
        )
    return (best,)


def _some_frames(log: FaceLogReader, track: int) -> Iterable[tuple[int, NDArray[np.float32]]]:
    """A few usable frames of a person, spread evenly, and the meshes in them."""
    usable = [int(record["frame"]) for record in log.faces([track]) if not record["reason"]]
    wanted = _spread(usable)
    for record in log.faces([track]):
        if int(record["frame"]) in wanted:
            yield int(record["frame"]), np.array(record["mesh"])


def _spread(frames: Sequence[int]) -> set[int]:
    count = min(COMPARED_FRAMES, len(frames))
    return {frames[(2 * k + 1) * len(frames) // (2 * count)] for k in range(count)}


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
