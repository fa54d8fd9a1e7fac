"""Alignment track of the chosen face: smoothed alignment, mesh in the crop, pose, frame state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from swaptalk.faces.geometry.align import Alignment, estimate_alignment
from swaptalk.faces.geometry.pose import TILTED, TURNED, passes
from swaptalk.faces.geometry.smooth import SHORT_SIGMA, TRUNCATE, AlignmentSmoother, smooth_points
from swaptalk.faces.geometry.topology import POINT_COUNT, mouth_openness
from swaptalk.pipeline.analysis.face_log import (
    NO_FACE_NUMBER,
    OTHERS_NUMBER,
    FaceLogReader,
    by_frame,
)
from swaptalk.storage.rows import RowWriter

#: Frames whose meshes are smoothed together, and frames on both sides that a smoothed mesh depends
#: on.
_BLOCK, MESH_CONTEXT = 64, int(TRUNCATE * SHORT_SIGMA) + 1
#: Longest run of frames in which a turn is passing: half a second at the usual 25 a second.
LONGEST_TURN = 12
_NO_MESH = np.zeros((POINT_COUNT, 3), np.float32)


@dataclass(frozen=True)
class _Placed:
    """One frame: where the smoothed crop lies (None without a usable face), and the mesh in it."""

    alignment: Alignment | None
    points: NDArray[np.float32]
    pose: NDArray[np.float32]
    openness: float
    cut: bool


def write_alignment_track(
    log: FaceLogReader, tracks: Collection[int], folder: Path
) -> NDArray[np.uint8]:
    """Write ``matrix``, ``mesh``, ``pose`` and ``openness`` (one row a frame) of the chosen tracks.

    Returns:
        (N,) state of every frame: 0 for a usable face, else the number of the reason. Rows of
        frames that are not usable hold zeros.
    """
    count = log.frames
    state = np.where(log.with_faces(), OTHERS_NUMBER, NO_FACE_NUMBER).astype(np.uint8)
    with ExitStack() as stack:

        def rows(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> RowWriter:
            return stack.enter_context(RowWriter(folder / f"{name}.npy", count, shape, dtype))

        matrix, mesh = (
            rows("matrix", (2, 3), np.float64),
            rows("mesh", (POINT_COUNT, 3), np.float16),
        )
        pose, openness = rows("pose", (3,), np.float32), rows("openness", (), np.float32)
        for placed, points in _with_smooth_mesh(_placed(log, tracks, state)):
            matrix.append(
                np.zeros((1, 2, 3)) if placed.alignment is None else placed.alignment.matrix[None]
            )
            mesh.append(points[None])
            pose.append(placed.pose[None])
            openness.append(np.array([placed.openness]))
    return state


def _placed(
    log: FaceLogReader, tracks: Collection[int], state: NDArray[np.uint8]
) -> Iterator[_Placed]:
    """Go through the log twice at once: ahead for the smoothed alignments, behind for what they
    apply to.
    """
    cuts = set(log.cuts)
    behind = by_frame(log.faces(tracks), len(state))
    for frame, (alignment, record) in enumerate(
        zip(_smooth_alignments(log, tracks, state), behind, strict=True)
    ):
        if alignment is None or record is None:
            yield _Placed(None, _NO_MESH, np.zeros(3, np.float32), 0.0, frame in cuts)
        else:
            mesh = record["mesh"]
            yield _Placed(
                alignment,
                alignment.to_crop(mesh),
                record["pose"],
                mouth_openness(mesh),
                frame in cuts,
            )


def _smooth_alignments(
    log: FaceLogReader,
    tracks: Collection[int],
    state: NDArray[np.uint8],
) -> Iterator[Alignment | None]:
    """Return the smoothed alignment of every frame; fill in ``state``."""
    smoother, cuts = AlignmentSmoother(), set(log.cuts)
    passing = _passing_turns(log, tracks)
    for frame, record in enumerate(by_frame(log.faces(tracks), len(state))):
        alignment = None
        if record is not None:
            state[frame] = 0 if passing[frame] else record["reason"]
            if not state[frame]:
                alignment = estimate_alignment(record["mesh"][:, :2])
        yield from smoother.push(alignment, cut=frame in cuts)
    yield from smoother.finish()


def _passing_turns(log: FaceLogReader, tracks: Collection[int]) -> NDArray[np.bool_]:
    """Frames (N,) in which the face is turned a little too far, in runs of at most `LONGEST_TURN`
    between usable frames of the same scene.
    """
    turns = {log.reasons.index(r) for r in (TURNED, TILTED) if r in log.reasons}
    passing = np.zeros(log.frames, np.bool_)
    cuts = set(log.cuts)
    usable: int | None = None  # the last usable frame of which only turns have followed since
    for frame, record in enumerate(by_frame(log.faces(tracks), log.frames)):
        if frame in cuts:
            usable = None
        if record is not None and record["reason"] == 0:
            if usable is not None and frame - usable - 1 <= LONGEST_TURN:
                passing[usable + 1 : frame] = True
            usable = frame
        elif record is None or int(record["reason"]) not in turns or not passes(record["pose"]):
            usable = None
    return passing


def _with_smooth_mesh(frames: Iterable[_Placed]) -> Iterator[tuple[_Placed, NDArray[np.float32]]]:
    """Yield each frame with its mesh smoothed within its scene, in bounded memory."""
    waiting: list[_Placed] = []
    done = 0  # at the front of `waiting`: given out already, there for context

    def smoothed(stop: int) -> Iterator[tuple[_Placed, NDArray[np.float32]]]:
        points = smooth_points(
            np.stack([frame.points for frame in waiting]),
            [frame.alignment is not None for frame in waiting],
            [index for index, frame in enumerate(waiting) if frame.cut],
        )
        for index in range(done, stop):
            frame = waiting[index]
            yield frame, _NO_MESH if frame.alignment is None else points[index]

    for frame in frames:
        waiting.append(frame)
        if len(waiting) >= done + _BLOCK + MESH_CONTEXT:
            yield from smoothed(done + _BLOCK)
            kept = min(MESH_CONTEXT, done + _BLOCK)
            waiting, done = waiting[done + _BLOCK - kept :], kept
    if len(waiting) > done:
        yield from smoothed(len(waiting))
