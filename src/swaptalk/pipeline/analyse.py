"""The first pass over the target: the chosen face, how it lies in each frame, and its codes.

What it writes (``matrix``, ``mesh``, ``pose``, ``state``, ``codes``, all ``.npy`` with one row a frame) depends on the
target only, not on who shall be seen or what shall be said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.align import CROP_SIZE, Alignment, crop_face
from swaptalk.faces.occlusion import AppearanceCollector, AppearanceModel
from swaptalk.faces.select import FaceSelector
from swaptalk.pipeline.background import background
from swaptalk.pipeline.job import ANALYSIS_RECORD, write_atomically
from swaptalk.pipeline.layout import write_layout
from swaptalk.pipeline.networks import Codes, Networks
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.reference import assign_references, choose_references
from swaptalk.pipeline.rows import Rows, RowWriter
from swaptalk.pipeline.stats import Stopwatch
from swaptalk.pipeline.survey import FaceLog, Reasons
from swaptalk.pipeline.vision import Vision

#: Crops encoded together, and frames decoded ahead.
BATCH = 4
QUEUE = 8


class Analysis:
    """Reads a finished analysis. Not for use from several threads at once: open it once per thread."""

    def __init__(self, folder: Path) -> None:
        record = json.loads((folder / ANALYSIS_RECORD).read_text(encoding="utf-8"))
        self.folder = folder
        self._reasons: list[str] = list(record["reasons"])
        self._matrix, self._mesh = Rows(folder / "matrix.npy"), Rows(folder / "mesh.npy")
        self._codes = Rows(folder / "codes.npy")
        self._state: NDArray[np.uint8] = np.load(folder / "state.npy")
        self._reference: NDArray[np.uint8] = np.load(folder / "reference.npy")
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

    def scene(self, frame: int) -> int:
        """Number of the scene that the frame belongs to."""
        return int(np.searchsorted(self._cuts, frame, side="right"))

    def appearance(self) -> AppearanceModel | None:
        """How the face usually looks, to tell what lies in front of it; None if too little of it was seen."""
        path = self.folder / "appearance.npz"
        if not path.exists():
            return None
        with np.load(path) as stored:
            return AppearanceModel(stored["median"], stored["deviation"])

    def alignment(self, frame: int) -> Alignment:
        """How the smoothed crop lies in the frame."""
        return Alignment(self._matrix[frame])

    def mesh(self, frame: int) -> NDArray[np.float32]:
        """Landmarks (468, 3) in pixels of the crop."""
        return self._mesh[frame].astype(np.float32)

    def codes(self, frame: int) -> Codes:
        """Codes (heads, 16, 16) of the crop."""
        return self._codes[frame]

    def reference(self, frame: int) -> int:
        """Position in :attr:`references` of the one that serves this frame."""
        return int(self._reference[frame])

    def close(self) -> None:
        """Release the files."""
        for rows in (self._matrix, self._mesh, self._codes):
            rows.close()


def is_complete(folder: Path) -> bool:
    """Whether an analysis was finished here."""
    return (folder / ANALYSIS_RECORD).exists()


def analyse(plan: Plan, vision: Vision, networks: Networks, folder: Path, progress: Progress, stopwatch: Stopwatch,
            ) -> Analysis:
    """Analyse the target frames that the plan needs, each of them once.

    Raises:
        InputError: nobody whose face could be replaced is seen.
    """
    count, reasons = plan.playback.length, Reasons()
    with FaceLog(folder / "faces.log", reasons) as log:
        selector = find_faces(plan, vision, progress, stopwatch, log)
        tracks = selector.choose(plan.options.face)
        state = write_layout(log, tracks, count, reasons, folder)
    if not (state == 0).any():
        _refuse(plan, state, reasons)
    _write_codes(plan, networks, folder, state, progress, stopwatch)
    pose, openness = np.load(folder / "pose.npy"), np.load(folder / "openness.npy")
    references = choose_references(pose, openness, state == 0)
    np.save(folder / "reference.npy", assign_references(pose, references))
    np.save(folder / "state.npy", state)
    record = {"reasons": reasons.names, "references": references.tolist(), "cuts": log.cuts}
    write_atomically(folder / ANALYSIS_RECORD, json.dumps(record))
    return Analysis(folder)


def _refuse(plan: Plan, state: NDArray[np.uint8], reasons: Reasons) -> None:
    counted = Counter(reasons.names[number] for number in state.tolist())
    found = ", ".join(f"{count} frames: {reason}" for reason, count in counted.most_common(3))
    raise InputError(f"no face that could be replaced ({found})", path=plan.options.target,
                     remedy="give a target with a face that looks towards the camera, or choose another with --face")


def _pictures(plan: Plan, stopwatch: Stopwatch) -> Iterator[NDArray[np.uint8]]:
    with plan.open_target() as target:
        yield from stopwatch.iterate("decode video", target.frames(range(plan.playback.length)))


def find_faces(plan: Plan, vision: Vision, progress: Progress, stopwatch: Stopwatch, log: FaceLog | None = None,
               ) -> FaceSelector:
    """Follow all faces through the target, noting them in the log."""
    tracker, selector = vision.tracker(), FaceSelector()
    progress.begin("find faces", plan.playback.length)
    for picture in background(lambda: _pictures(plan, stopwatch), QUEUE, "decode"):
        with stopwatch.stage("find faces"):
            frame = tracker.update(picture)
            selector.add(frame, picture)
            if log is not None:
                log.append(frame)
        progress.advance(1)
    progress.end()
    return selector


def _crops(plan: Plan, folder: Path, state: NDArray[np.uint8], appearance: AppearanceCollector, stopwatch: Stopwatch,
           ) -> Iterator[NDArray[np.uint8]]:
    """Aligned crop of every frame, black where there is no usable face."""
    with Rows(folder / "matrix.npy") as matrices, Rows(folder / "mesh.npy") as meshes:
        for frame, picture in enumerate(_pictures(plan, stopwatch)):
            if state[frame]:
                yield np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
                continue
            with stopwatch.stage("crop"):
                crop = crop_face(picture, Alignment(matrices[frame]))
                appearance.add(crop, meshes[frame])
            yield crop


def _write_codes(plan: Plan, networks: Networks, folder: Path, state: NDArray[np.uint8], progress: Progress,
                 stopwatch: Stopwatch) -> None:
    """Encode every usable crop, the codes of the other frames are zeros; and note how the face usually looks."""
    appearance = AppearanceCollector()
    crops = background(lambda: _crops(plan, folder, state, appearance, stopwatch), QUEUE, "crop")
    progress.begin("encode faces", len(state))
    writer: RowWriter | None = None
    try:
        for begin in range(0, len(state), BATCH):
            batch = np.stack(list(islice(crops, BATCH)))
            usable = state[begin : begin + BATCH] == 0
            with stopwatch.stage("encode faces"):
                codes = networks.quantize(networks.encode(batch))  # all of them: a batch of one size runs fastest
            codes[~usable] = 0
            if writer is None:
                writer = RowWriter(folder / "codes.npy", len(state), codes.shape[1:], codes.dtype)
            writer.append(codes)
            progress.advance(len(batch))
    finally:
        crops.close()
        if writer is not None:
            writer.close()
        progress.end()
    model = appearance.model()
    if model is not None:
        np.savez(folder / "appearance.npz", median=model.median, deviation=model.deviation)
