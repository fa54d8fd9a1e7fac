"""The first pass over the target: the chosen face, how it lies in each frame, and its codes.

What it writes (``matrix``, ``mesh``, ``pose``, ``state``, all ``.npy`` with one row a frame, and
the codes) depends on the target only, not on source or recording. Codes are those of the target's
own faces. Here only the references are encoded; the second pass, which decodes the pictures anyway,
encodes the others. Where the swap comes first no codes are needed: the crops of the references are
kept instead, for their composites, and those by which a swap gets to know the target.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.detection.select import FaceSelector
from swaptalk.faces.detection.track import TrackedFrame
from swaptalk.faces.editing.exposure import Exposure, exposures
from swaptalk.faces.geometry.align import Alignment, crop_face
from swaptalk.pipeline.analysis.alignment_track import MESH_CONTEXT, write_alignment_track
from swaptalk.pipeline.analysis.candidates import Candidates, CandidateWriter
from swaptalk.pipeline.analysis.choice import Tracks, chosen_tracks, people_tracks
from swaptalk.pipeline.analysis.face_log import (
    CANDIDATES,
    FACES,
    LOG_RECORD,
    REFERENCES,
    TOO_DARK_NUMBER,
    TOO_PALE_NUMBER,
    FaceLog,
    FaceLogReader,
    face_log_record,
)
from swaptalk.pipeline.analysis.reference import (
    assign_references,
    choose_mouths,
    choose_references,
    choose_samples,
    eligible_frames,
)
from swaptalk.pipeline.analysis.reference_log import ReferenceLog
from swaptalk.pipeline.analysis.result import (
    CODES,
    COMPILED,
    EXPOSURE,
    MATRIX,
    MOUTH_CROPS,
    REFERENCE_CROPS,
    SAMPLE_CROPS,
)
from swaptalk.pipeline.job import ANALYSIS_RECORD
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.report import Stopwatch
from swaptalk.storage.files import write_atomically
from swaptalk.storage.frames import CodeStore
from swaptalk.storage.rows import Rows
from swaptalk.workers.background import background

#: Frames decoded ahead.
QUEUE = 8


class Observer(Protocol):
    """Looks at every frame while the faces are followed."""

    def add(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Take the next frame's faces and its picture (H, W, 3)."""


def analyse(
    plan: Plan,
    analyser: FaceAnalyser,
    networks: Networks,
    folder: Path,
    progress: Progress,
    stopwatch: Stopwatch,
) -> None:
    """Analyse the target frames that the plan needs, each of them once, or take them from its
    template.

    Raises:
        InputError: nobody whose face could be replaced is seen, or the template is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="faces-", dir=folder) as temporary:
        log_folder = Path(temporary)
        if plan.template is None:
            write_face_log(plan, analyser, log_folder, progress, stopwatch)
            arrange_all(plan, analyser, networks, log_folder, folder, stopwatch)
        else:
            with stopwatch.stage("template"), plan.template.unpacked(log_folder):
                arrange_all(plan, analyser, networks, log_folder, folder, stopwatch)


def arrange_all(
    plan: Plan,
    analyser: FaceAnalyser,
    networks: Networks,
    log_folder: Path,
    folder: Path,
    stopwatch: Stopwatch,
) -> None:
    """From the log of all faces to the analysis of the chosen one, or of several people: each in a
    folder of their own, `person_folder`.

    Raises:
        InputError: nobody whose face could be replaced is seen, or two people are the same.
    """
    log = FaceLogReader(log_folder, plan.playback.length)
    if not plan.people:
        tracks = chosen_tracks(plan, log, analyser)
        arrange(plan, networks, log_folder, folder, stopwatch, tracks)
        return
    chosen = people_tracks(plan, log, analyser)
    for number, (person, tracks) in enumerate(zip(plan.people, chosen, strict=True)):
        own = person_folder(folder, number)
        own.mkdir(exist_ok=True)
        try:
            arrange(person, networks, log_folder, own, stopwatch, tracks)
        except InputError as error:
            assert person.entry is not None
            raise person.entry.error(error.problem, error.remedy) from error
    write_atomically(folder / ANALYSIS_RECORD, json.dumps({"people": len(plan.people)}))


def person_folder(folder: Path, number: int) -> Path:
    """Folder of the analysis of one of several people, counted from 0."""
    return folder / f"person-{number}"


def write_face_log(
    plan: Plan, analyser: FaceAnalyser, folder: Path, progress: Progress, stopwatch: Stopwatch
) -> None:
    """Find all faces of the target and note them in ``folder``."""
    with (
        FaceLog(folder / FACES) as log,
        closing(CandidateWriter(folder / CANDIDATES)) as candidates,
        closing(ReferenceLog(folder / REFERENCES, candidates)) as references,
    ):
        find_faces(plan, analyser, progress, stopwatch, log, references)
    write_atomically(
        folder / LOG_RECORD, face_log_record(log.reasons, log.cuts, plan.width, log.renumbered)
    )


def arrange(
    plan: Plan,
    networks: Networks,
    log_folder: Path,
    folder: Path,
    stopwatch: Stopwatch,
    tracks: Tracks,
) -> None:
    """From the log of all faces to the analysis of the chosen ``tracks``, in ``folder``.

    Codes that lie beside the log are used for the frames whose crop is still the same.

    Raises:
        InputError: nobody whose face could be replaced is seen.
    """
    log = FaceLogReader(log_folder, plan.playback.length)
    state = write_alignment_track(log, tracks, folder)
    if not (state == 0).any():
        _refuse(plan, state, log.reasons)
    light, dark, pale = exposures(*log.light(tracks), state == 0)
    state[dark], state[pale] = TOO_DARK_NUMBER, TOO_PALE_NUMBER
    if not (state == 0).any():
        _refuse(plan, state, log.reasons)
    np.save(folder / "state.npy", state)
    np.save(folder / EXPOSURE, light)
    pose, openness = np.load(folder / "pose.npy"), np.load(folder / "openness.npy")
    covered = log.candidates(tracks)
    candidates = eligible_frames(state == 0, covered, light)
    references = choose_references(pose, openness, candidates)
    samples = choose_samples(state == 0, covered, np.array(log.cuts, np.intp))
    mouths = choose_mouths(pose, openness, candidates)
    np.save(folder / "reference.npy", assign_references(pose, references))
    with closing(CodeStore(folder / CODES)) as store:
        if (log_folder / CODES).exists():
            _take_codes(log_folder, folder, state, store)
        with stopwatch.stage("encode faces"):
            swaps_first = bool(plan.options.source) and plan.options.order == "swap-first"
            missing = [int(frame) for frame in references if store.get(int(frame)) is None]
            if missing and not swaps_first and not plan.options.warps_lips:
                crops = _reference_crops(plan, folder, log, log_folder, tracks, missing)
                for frame, codes in zip(
                    missing, networks.quantize(networks.encode(crops)), strict=True
                ):
                    store.put(frame, codes)
            if plan.options.source and not plan.stored_swap:
                for name, frames in ((REFERENCE_CROPS, references), (SAMPLE_CROPS, samples)):
                    crops = _reference_crops(plan, folder, log, log_folder, tracks, frames.tolist())
                    np.save(folder / name, crops)
            if plan.options.shows_mouths:
                crops = _reference_crops(plan, folder, log, log_folder, tracks, mouths.tolist())
                np.save(folder / MOUTH_CROPS, crops)
    record = {
        "reasons": log.reasons,
        "references": references.tolist(),
        "samples": samples.tolist(),
        "mouths": mouths.tolist(),
        "cuts": log.cuts,
    }
    write_atomically(folder / ANALYSIS_RECORD, json.dumps(record))


def _take_codes(known: Path, folder: Path, state: NDArray[np.uint8], store: CodeStore) -> None:
    """Take the codes of the frames whose crop lies exactly as it did when they were encoded, in the
    same light; note which frames have the same crop and the same mesh.

    Smoothing looks ahead: the last frames of a beginning lie a little differently than within the
    whole.
    """
    with (
        Rows(known / MATRIX) as before,
        Rows(folder / MATRIX) as now,
        Rows(known / EXPOSURE) as light_before,
        Rows(folder / EXPOSURE) as light_now,
    ):
        same = np.array(
            [
                np.array_equal(light_before[k], light_now[k])
                and np.array_equal(before[k], now[k], equal_nan=True)
                for k in range(len(state))
            ]
        )
        whole = len(before) == len(state)
    with closing(CodeStore(known / CODES)) as codes:
        for frame in np.flatnonzero(same & (state == 0)).tolist():
            found = codes.get(frame)
            if found is not None:
                store.put(frame, found)
    # Beyond the end nothing is the same, unless it is the end of both.
    ahead = np.concatenate([same, np.full(MESH_CONTEXT, whole)])
    alike = np.lib.stride_tricks.sliding_window_view(ahead, MESH_CONTEXT + 1).all(axis=1)
    np.save(folder / COMPILED, alike & (state == 0))


def _refuse(plan: Plan, state: NDArray[np.uint8], reasons: list[str]) -> None:
    counted = Counter(reasons[number] for number in state.tolist())
    found = ", ".join(f"{count} frames: {reason}" for reason, count in counted.most_common(3))
    raise InputError(
        f"no face that could be replaced ({found})",
        path=plan.options.target,
        remedy="give a target with a face that looks towards the camera, or choose another with "
        "--face",
    )


def _pictures(plan: Plan, stopwatch: Stopwatch) -> Iterator[NDArray[np.uint8]]:
    with plan.open_target() as target:
        yield from stopwatch.iterate("decode video", target.frames(range(plan.playback.length)))


def find_faces(
    plan: Plan,
    analyser: FaceAnalyser,
    progress: Progress,
    stopwatch: Stopwatch,
    log: FaceLog | None = None,
    observer: Observer | None = None,
) -> FaceSelector:
    """Follow all faces through the target, noting where they are."""
    tracker, selector = analyser.tracker(), FaceSelector()
    progress.begin("find faces", plan.playback.length)
    with closing(background(lambda: _pictures(plan, stopwatch), QUEUE, "decode")) as pictures:
        for picture in pictures:
            with stopwatch.stage("find faces"):
                frame = tracker.update(picture)
                selector.add(frame, picture)
                if log is not None:
                    log.append(frame, picture)
                if observer is not None:
                    observer.add(frame, picture)
            progress.advance(1)
    progress.end()
    return selector


def _reference_crops(
    plan: Plan,
    folder: Path,
    log: FaceLogReader,
    log_folder: Path,
    tracks: tuple[int, ...],
    frames: list[int],
) -> NDArray[np.uint8]:
    """Crops (R, 256, 256, 3) of reference frames in the usual light: from the pictures that the
    log's candidates kept, else decoded again.
    """
    with (
        Rows(folder / MATRIX) as matrices,
        Rows(folder / EXPOSURE) as light,
        closing(Candidates(log_folder / CANDIDATES, log.renumbered)) as candidates,
    ):
        exposed = {frame: Exposure(*light[frame].tolist()) for frame in frames}
        alignments = {frame: Alignment(matrices[frame]) for frame in frames}
        crops = {
            frame: candidates.crop(tracks, frame, alignment)
            for frame, alignment in alignments.items()
        }
    missing = [frame for frame, crop in crops.items() if crop is None]
    if missing:
        with plan.open_target() as target:
            for frame, picture in zip(missing, target.frames(missing), strict=True):
                crops[frame] = crop_face(picture, alignments[frame])
    return np.stack(
        [exposed[frame].apply(crop) for frame, crop in crops.items() if crop is not None]
    )
