"""The streaming first pass gives what smoothing the whole clip at once gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.detection.track import TrackedFace, TrackedFrame
from swaptalk.faces.geometry.align import estimate_alignment
from swaptalk.faces.geometry.pose import Pose, estimate_pose, rotate_mesh, unusable_reason
from swaptalk.faces.geometry.smooth import smooth_alignments, smooth_points
from swaptalk.faces.geometry.topology import CANONICAL_MESH
from swaptalk.pipeline.analysis.alignment_track import write_alignment_track
from swaptalk.pipeline.analysis.face_log import (
    FACES,
    LOG_RECORD,
    FaceLog,
    FaceLogReader,
    face_log_record,
)

COUNT, CUT, GAP = 190, 100, range(60, 70)
PICTURE = np.full((400, 800, 3), 120, np.uint8)


def clip() -> list[TrackedFrame]:
    random = np.random.default_rng(0)
    frames = []
    for index in range(COUNT):
        faces = []
        for track, left in ((0, 200.0), (1, 500.0)):
            points = CANONICAL_MESH * 60 + [
                left + 20 * np.sin(index / 9) + 50 * (index >= CUT),
                200,
                0,
            ]
            points = (points + random.normal(0, 0.4, points.shape)).astype(np.float32)
            pose = estimate_pose(points)
            usable = not (track == 0 and index == 20)
            if not (track == 0 and index in GAP):
                faces.append(
                    TrackedFace(
                        track, Landmarks(points, 1.0), pose, usable, "" if usable else "too small"
                    )
                )
        frames.append(TrackedFrame(index, index == CUT, tuple(faces)))
    return frames


def noted(frames: list[TrackedFrame], folder: Path) -> FaceLogReader:
    with FaceLog(folder / FACES) as log:
        for frame in frames:
            log.append(frame, PICTURE)
    (folder / LOG_RECORD).write_text(face_log_record(log.reasons, log.cuts, 800, log.renumbered))
    return FaceLogReader(folder, len(frames))


def test_streamed_layout_equals_the_whole(tmp_path: Path) -> None:
    frames = clip()
    log = noted(frames, tmp_path)
    state = write_alignment_track(log, (0,), tmp_path)
    assert [log.reasons[s] for s in (state[0], state[20], state[65])] == [
        "",
        "too small",
        "only other faces",
    ]
    assert (state == 0).sum() == COUNT - 11

    faces = [face if (face := frame.face(0)) and face.usable else None for frame in frames]
    raw = [estimate_alignment(face.landmarks.xy) if face else None for face in faces]
    whole = smooth_alignments(raw, [CUT])
    matrices, meshes = np.load(tmp_path / "matrix.npy"), np.load(tmp_path / "mesh.npy")
    placed = zip(whole, faces, strict=True)
    points = np.stack(
        [a.to_crop(f.landmarks.points) if a and f else np.zeros((468, 3)) for a, f in placed]
    )
    smooth = smooth_points(points, state == 0, [CUT])
    for index, alignment in enumerate(whole):
        if alignment is None:
            assert not matrices[index].any() and not meshes[index].any()
        else:
            assert matrices[index] == pytest.approx(alignment.matrix, abs=0.05)
            # Half precision.
            assert meshes[index].astype(np.float32) == pytest.approx(smooth[index], abs=0.3)
    # Smoothing stills the noise without dragging the motion or bridging the cut.
    assert np.abs(matrices[CUT, 0, 2] - matrices[CUT - 1, 0, 2]) > 20
    pose, openness = np.load(tmp_path / "pose.npy"), np.load(tmp_path / "openness.npy")
    assert pose.shape == (COUNT, 3) and np.abs(pose[state == 0]).max() < 5
    assert openness.shape == (COUNT,)


def turned(yaws: list[float], cut: int | None = None) -> list[TrackedFrame]:
    """A face whose head turns."""
    frames = []
    for index, yaw in enumerate(yaws):
        points = np.asarray(rotate_mesh(CANONICAL_MESH * 60, Pose(yaw, 0, 0)) + [300, 200, 0])
        points = points.astype(np.float32)
        pose = estimate_pose(points)
        reason = unusable_reason(points, pose, 800, 400)
        face = TrackedFace(0, Landmarks(points, 1.0), pose, not reason, reason)
        frames.append(TrackedFrame(index, index == cut, (face,)))
    return frames


@pytest.mark.parametrize(
    ("yaws", "cut", "used"),
    [
        ([40, 44, 47, 47, 43, 40], None, "111111"),  # for a moment: nothing flashes up
        ([40, 44, 60, 47, 43, 40], None, "110011"),  # much too far
        ([47, 47, 40, 40, 47, 47], None, "001100"),  # at the ends nobody knows what follows
        ([40, 47, 47, 47, 40, 40], 2, "100011"),  # a cut in between
        ([40, *[47] * 13, 40], None, "1" + 13 * "0" + "1"),  # too long
    ],
)
def test_a_passing_turn_is_no_gap(
    yaws: list[float], cut: int | None, used: str, tmp_path: Path
) -> None:
    state = write_alignment_track(noted(turned(yaws, cut), tmp_path), (0,), tmp_path)
    assert "".join("1" if one == 0 else "0" for one in state) == used
    matrices = np.load(tmp_path / "matrix.npy")
    assert matrices.any(axis=(1, 2)).tolist() == [one == "1" for one in used]
