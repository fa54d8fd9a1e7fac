"""The first pass over the target: the chosen face, how it lies in each frame, and its codes.

What it writes (``matrix``, ``mesh``, ``pose``, ``state``, all ``.npy`` with one row a frame, and the codes) depends on
the target only, not on who shall be seen or what shall be said. The codes of all frames but the references are filled
in by the second pass, which has the pictures at hand anyway.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.align import Alignment, crop_face
from swaptalk.faces.occlusion import AppearanceModel
from swaptalk.faces.select import FaceSelector
from swaptalk.faces.track import TrackedFrame
from swaptalk.pipeline.appearance import Appearances
from swaptalk.pipeline.background import background
from swaptalk.pipeline.codes import CodeStore
from swaptalk.pipeline.job import ANALYSIS_RECORD, write_atomically
from swaptalk.pipeline.layout import write_layout
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.reference import assign_references, choose_references
from swaptalk.pipeline.rows import Rows
from swaptalk.pipeline.stats import Stopwatch
from swaptalk.pipeline.survey import FaceLog, Reasons
from swaptalk.pipeline.vision import Vision

#: Frames decoded ahead.
QUEUE = 8
#: File with the codes of the frames.
CODES = "codes.bin"


class Observer(Protocol):
    """Looks at every frame while the faces are followed."""

    def add(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Take the next frame's faces and its picture (H, W, 3)."""


class Analysis:
    """Reads a finished analysis. Not for use from several threads at once: open it once per thread."""

    def __init__(self, folder: Path) -> None:
        record = json.loads((folder / ANALYSIS_RECORD).read_text(encoding="utf-8"))
        self.folder = folder
        self._reasons: list[str] = list(record["reasons"])
        self._matrix, self._mesh = Rows(folder / "matrix.npy"), Rows(folder / "mesh.npy")
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


def analyse(plan: Plan, vision: Vision, networks: Networks, folder: Path, progress: Progress, stopwatch: Stopwatch,
            ) -> None:
    """Analyse the target frames that the plan needs, each of them once.

    Raises:
        InputError: nobody whose face could be replaced is seen.
    """
    reasons, appearances = Reasons(), Appearances()
    with FaceLog(folder / "faces.log", reasons) as log:
        selector = find_faces(plan, vision, progress, stopwatch, log, appearances)
        tracks = selector.choose(plan.options.face)
        state = write_layout(log, tracks, plan.playback.length, reasons, folder)
    if not (state == 0).any():
        _refuse(plan, state, reasons)
    np.save(folder / "state.npy", state)
    model = appearances.model(tracks)
    if model is not None:
        np.savez(folder / "appearance.npz", median=model.median, deviation=model.deviation)
    pose, openness = np.load(folder / "pose.npy"), np.load(folder / "openness.npy")
    references = choose_references(pose, openness, state == 0)
    np.save(folder / "reference.npy", assign_references(pose, references))
    with stopwatch.stage("encode faces"):
        _encode_references(plan, networks, folder, references)
    record = {"reasons": reasons.names, "references": references.tolist(), "cuts": log.cuts}
    write_atomically(folder / ANALYSIS_RECORD, json.dumps(record))


def _refuse(plan: Plan, state: NDArray[np.uint8], reasons: Reasons) -> None:
    counted = Counter(reasons.names[number] for number in state.tolist())
    found = ", ".join(f"{count} frames: {reason}" for reason, count in counted.most_common(3))
    raise InputError(f"no face that could be replaced ({found})", path=plan.options.target,
                     remedy="give a target with a face that looks towards the camera, or choose another with --face")


def _pictures(plan: Plan, stopwatch: Stopwatch) -> Iterator[NDArray[np.uint8]]:
    with plan.open_target() as target:
        yield from stopwatch.iterate("decode video", target.frames(range(plan.playback.length)))


def find_faces(plan: Plan, vision: Vision, progress: Progress, stopwatch: Stopwatch, log: FaceLog | None = None,
               appearances: Observer | None = None) -> FaceSelector:
    """Follow all faces through the target, noting where they are and how they look."""
    tracker, selector = vision.tracker(), FaceSelector()
    progress.begin("find faces", plan.playback.length)
    for picture in background(lambda: _pictures(plan, stopwatch), QUEUE, "decode"):
        with stopwatch.stage("find faces"):
            frame = tracker.update(picture)
            selector.add(frame, picture)
            if log is not None:
                log.append(frame)
            if appearances is not None:
                appearances.add(frame, picture)
        progress.advance(1)
    progress.end()
    return selector


def _encode_references(plan: Plan, networks: Networks, folder: Path, references: NDArray[np.intp]) -> None:
    """Encode the reference frames, which are needed before all others."""
    frames = [int(frame) for frame in references]
    with plan.open_target() as target, Rows(folder / "matrix.npy") as matrices:
        pictures = zip(frames, target.frames(frames), strict=True)
        crops = [crop_face(picture, Alignment(matrices[frame])) for frame, picture in pictures]
    with closing(CodeStore(folder / CODES)) as store:
        for frame, codes in zip(frames, networks.quantize(networks.encode(np.stack(crops))), strict=True):
            store.put(frame, codes)
