"""The networks that find faces, loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import SwapTalkError
from swaptalk.faces.detect import FaceDetector
from swaptalk.faces.landmarks import FaceMesh, Landmarks
from swaptalk.faces.recognise import FaceRecogniser
from swaptalk.faces.track import FaceTracker
from swaptalk.runtime.assets import resolve, resolve_all


@contextmanager
def _native_standard_error_silenced() -> Iterator[None]:
    """Swallow LiteRT's greeting, which no option turns off: ``--quiet`` shall print nothing but errors."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class Vision:
    """Detector, mesh and recogniser. Not for use from several threads at once.

    Where the recogniser's file is not to be had (an offline folder without it) every scene numbers its faces anew.

    Args:
        threads: CPU threads for each network.
        progress: show the download of missing files.
    """

    def __init__(self, threads: int = 1, progress: bool = True) -> None:
        files = resolve_all(("blazeface-back", "blazeface-full-range", "face-mesh"), progress=progress)
        with _native_standard_error_silenced():
            self.detector = FaceDetector(files["blazeface-back"], files["blazeface-full-range"], threads)
            self.mesh = FaceMesh(files["face-mesh"], threads)
        self.recogniser: FaceRecogniser | None = None
        try:
            self.recogniser = FaceRecogniser(resolve("mobilefacenet", progress=progress), threads)
        except SwapTalkError:
            pass

    def tracker(self) -> FaceTracker:
        """A tracker for a new clip."""
        return FaceTracker(self.detector, self.mesh, self.recogniser)

    def faces(self, image: NDArray[np.uint8]) -> list[Landmarks]:
        """The faces of a single picture (H, W, 3), from left to right."""
        tracked = FaceTracker(self.detector, self.mesh).update(image)
        return sorted((face.landmarks for face in tracked.faces), key=lambda face: float(face.xy[:, 0].mean()))
