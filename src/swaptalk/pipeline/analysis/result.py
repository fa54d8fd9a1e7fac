"""Reads a finished analysis of a target, made by the first pass or taken from a template."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.exposure import Exposure
from swaptalk.faces.geometry.align import Alignment, crop_face
from swaptalk.faces.geometry.identity_shape import normalised_shape
from swaptalk.faces.geometry.topology import CANONICAL_MESH
from swaptalk.pipeline.job import ANALYSIS_RECORD
from swaptalk.storage.rows import Rows

#: File with the codes of the frames.
CODES = "codes.bin"
#: File with the alignments of the frames.
MATRIX = "matrix.npy"
#: File that says which frames have the same crop and mesh as in the template; only with a template.
COMPILED = "compiled.npy"
#: File with the exposures that bring the frames to the usual light.
EXPOSURE = "exposure.npy"
#: File with the crops of the reference frames; only where they are needed for a swap.
REFERENCE_CROPS = "reference-crops.npy"
#: File with the crops of the frames by which a swap gets to know the target; likewise.
SAMPLE_CROPS = "sample-crops.npy"
#: File with the crops of the frames whose mouths are warped; only where they are.
MOUTH_CROPS = "mouth-crops.npy"
#: What is measured once a scene is measured in its first so many usable frames (5 s at 25 a
#: second), so that it does not depend on how much of the scene is used.
SCENE_START = 125
#: The shape of a scene is the mean over so many of them, spread evenly.
SHAPE_FRAMES = 50


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
        #: Frames by which a swap gets to know the target, (K,).
        self.samples = np.array(record["samples"], np.intp)
        #: Frames whose mouths are warped, (R,).
        self.mouths = np.array(record["mouths"], np.intp)
        self._shapes: dict[int, NDArray[np.float32]] = {}

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
        """Whether the template's codes and swap fit this frame: its crop and its mesh are the
        same.
        """
        return bool(self._compiled[frame])

    def scene(self, frame: int) -> int:
        """Number of the scene that the frame belongs to."""
        return int(np.searchsorted(self._cuts, frame, side="right"))

    def exposure(self, frame: int) -> Exposure:
        """What brings the frame's face to the usual light."""
        return Exposure(*self._exposure[frame].tolist())

    def crop(self, frame: int, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The aligned face (256, 256, 3) of a frame's picture (H, W, 3), in the usual light."""
        return self.exposure(frame).apply(crop_face(picture, self.alignment(frame)))

    def alignment(self, frame: int) -> Alignment:
        """How the smoothed crop lies in the frame."""
        return Alignment(self._matrix[frame])

    def mesh(self, frame: int) -> NDArray[np.float32]:
        """Landmarks (468, 3) in pixels of the crop."""
        return self._mesh[frame].astype(np.float32)

    def scene_shape(self, scene: int) -> NDArray[np.float32]:
        """Shape of the face (468, 3), without pose and size, as a scene begins: the mean over some
        usable frames, the canonical shape where there is none.
        """
        if scene not in self._shapes:
            self._shapes[scene] = self._measured_shape(scene)
        return self._shapes[scene]

    def _measured_shape(self, scene: int) -> NDArray[np.float32]:
        ends = np.concatenate([[0], self._cuts, [len(self)]])
        frames = np.arange(ends[scene], ends[scene + 1])
        frames = frames[self._state[frames] == 0][:SCENE_START]
        if not len(frames):
            return normalised_shape(CANONICAL_MESH)
        count = min(len(frames), SHAPE_FRAMES)
        chosen = frames[np.linspace(0, len(frames) - 1, count).astype(np.intp)]
        shapes = [normalised_shape(self.mesh(int(frame))) for frame in chosen]
        return np.asarray(np.mean(shapes, axis=0), np.float32)

    @property
    def reference_crops(self) -> NDArray[np.uint8] | None:
        """Aligned crops (R, 256, 256, 3) of the reference frames, if the first pass kept them."""
        return self._crops(REFERENCE_CROPS)

    @property
    def sample_crops(self) -> NDArray[np.uint8] | None:
        """Aligned crops (K, 256, 256, 3) of the :attr:`samples`, if the first pass kept them."""
        return self._crops(SAMPLE_CROPS)

    def _crops(self, name: str) -> NDArray[np.uint8] | None:
        path = self.folder / name
        crops: NDArray[np.uint8] | None = np.load(path) if path.exists() else None
        return crops

    @property
    def mouth_crops(self) -> dict[int, NDArray[np.uint8]] | None:
        """Aligned crops (256, 256, 3) of the frames whose mouths are warped, by frame, if the first
        pass kept them.
        """
        crops = self._crops(MOUTH_CROPS)
        return None if crops is None else dict(zip(self.mouths.tolist(), crops, strict=True))

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
