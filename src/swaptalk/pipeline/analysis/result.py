"""Reads a finished analysis of a target, made by the first pass or taken from a template."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.exposure import expose
from swaptalk.faces.geometry.align import Alignment, crop_face
from swaptalk.faces.geometry.pose import Pose, estimate_pose
from swaptalk.pipeline.job import ANALYSIS_RECORD
from swaptalk.storage.rows import Rows

#: File with the codes of the frames.
CODES = "codes.bin"
#: File with the alignments of the frames.
MATRIX = "matrix.npy"
#: File that says which frames lie as they did when a template was made of them; there only with a
#: template.
COMPILED = "compiled.npy"
#: File with the gains that bring the frames to the usual light.
EXPOSURE = "exposure.npy"
#: Usable frames at the beginning of a scene that its pose is taken from (5 s at 25 a second), so
#: that it is the same however much more of the scene is shown; and how many of them, spread evenly.
POSE_SPAN, POSE_FRAMES = 125, 50


class Analysis:
    """Reads a finished analysis. Not for use from several threads at once: open it once per
    thread.
    """

    def __init__(self, folder: Path) -> None:
        record = json.loads((folder / ANALYSIS_RECORD).read_text(encoding="utf-8"))
        self.folder = folder
        self._reasons: list[str] = list(record["reasons"])
        self._matrix, self._mesh = Rows(folder / MATRIX), Rows(folder / "mesh.npy")
        self._state: NDArray[np.uint8] = np.load(folder / "state.npy")
        self._reference: NDArray[np.uint8] = np.load(folder / "reference.npy")
        self._exposure: NDArray[np.float32] = np.load(folder / EXPOSURE)
        compiled = folder / COMPILED
        self._compiled: NDArray[np.bool_] = (
            np.load(compiled) if compiled.exists() else np.zeros(len(self), np.bool_)
        )
        self._cuts = np.array(record["cuts"], np.intp)
        #: Frames that serve as references, (R,).
        self.references = np.array(record["references"], np.intp)

    def __len__(self) -> int:
        """Number of target frames."""
        return len(self._state)

    def reopened(self) -> Analysis:
        """The same analysis for another thread."""
        return Analysis(self.folder)

    def usable(self, frame: int) -> bool:
        """Whether the face of this frame can be replaced."""
        return not self._state[frame]

    def reason(self, frame: int) -> str:
        """Why it cannot, or an empty text."""
        return self._reasons[int(self._state[frame])]

    def compiled(self, frame: int) -> bool:
        """Whether what a template holds ready of this frame's face fits: its crop is the same."""
        return bool(self._compiled[frame])

    def scene(self, frame: int) -> int:
        """Number of the scene that the frame belongs to."""
        return int(np.searchsorted(self._cuts, frame, side="right"))

    def exposure(self, frame: int) -> float:
        """Gain that brings the frame's face to the usual light."""
        return float(self._exposure[frame])

    def crop(self, frame: int, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The aligned face (256, 256, 3) of a frame's picture (H, W, 3), in the usual light."""
        return expose(crop_face(picture, self.alignment(frame)), self.exposure(frame))

    def alignment(self, frame: int) -> Alignment:
        """How the smoothed crop lies in the frame."""
        return Alignment(self._matrix[frame])

    def mesh(self, frame: int) -> NDArray[np.float32]:
        """Landmarks (468, 3) in pixels of the crop."""
        return self._mesh[frame].astype(np.float32)

    def scene_pose(self, scene: int) -> Pose:
        """How the face's head points as a scene begins: the median over some usable frames, zero
        where there is none.

        Roll is that of the aligned crop.
        """
        ends = np.concatenate([[0], self._cuts, [len(self)]])
        frames = np.arange(ends[scene], ends[scene + 1])
        frames = frames[self._state[frames] == 0][:POSE_SPAN]
        if not len(frames):
            return Pose(0.0, 0.0, 0.0)
        chosen = frames[
            np.linspace(0, len(frames) - 1, min(len(frames), POSE_FRAMES)).astype(np.intp)
        ]
        yaw, pitch, roll = np.median(
            [estimate_pose(self.mesh(int(frame))).vector for frame in chosen], axis=0
        )
        return Pose(float(yaw), float(pitch), float(roll))

    def reference(self, frame: int) -> int:
        """Position in :attr:`references` of the one that serves this frame."""
        return int(self._reference[frame])

    def close(self) -> None:
        """Release the files."""
        self._matrix.close()
        self._mesh.close()


def is_complete(folder: Path) -> bool:
    """Whether an analysis was finished here."""
    return (folder / ANALYSIS_RECORD).exists()
