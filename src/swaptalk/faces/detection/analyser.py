"""Face analysis of one picture or clip: detector, mesh and recogniser, loaded at first use."""

from __future__ import annotations

import contextlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.assets.catalogue import resolve, resolve_all
from swaptalk.errors import SwapTalkError
from swaptalk.faces.detection.detect import FaceDetector
from swaptalk.faces.detection.landmarks import FaceMesh, Landmarks
from swaptalk.faces.detection.recognise import FaceRecogniser
from swaptalk.faces.detection.track import FaceTracker


class FaceAnalyser:
    """Detector, mesh and recogniser, loaded at first use. Not for use from several threads at once.

    Where the recogniser's file is not to be had (an offline folder without it) every scene numbers
    its faces anew.

    Args:
        threads: CPU threads for each network.
        progress: show the download of missing files.
    """

    def __init__(self, threads: int = 1, progress: bool = True) -> None:
        self._threads = threads
        # Now rather than when a job is under way: what is missing is fetched.
        self._files = resolve_all(
            ("blazeface-back", "blazeface-full-range", "face-mesh"), progress=progress
        )
        with contextlib.suppress(SwapTalkError):
            self._files["mobilefacenet"] = resolve("mobilefacenet", progress=progress)

    @cached_property
    def detector(self) -> FaceDetector:
        """Face detector (BlazeFace)."""
        return FaceDetector(
            self._files["blazeface-back"], self._files["blazeface-full-range"], self._threads
        )

    @cached_property
    def mesh(self) -> FaceMesh:
        """Landmark network (468-point mesh, lips measured again)."""
        return FaceMesh(self._files["face-mesh"], self._threads)

    @cached_property
    def recogniser(self) -> FaceRecogniser | None:
        """Recogniser (MobileFaceNet) that tells people apart; None if its file is missing."""
        file = self._files.get("mobilefacenet")
        return None if file is None else FaceRecogniser(file, self._threads)

    def tracker(self) -> FaceTracker:
        """Make a tracker for a new clip."""
        return FaceTracker(self.detector, self.mesh, self.recogniser)

    def faces(self, image: NDArray[np.uint8]) -> list[Landmarks]:
        """Landmarks of the faces in an RGB picture (H, W, 3) uint8, from left to right."""
        tracked = FaceTracker(self.detector, self.mesh).update(image)
        return sorted(
            (face.landmarks for face in tracked.faces), key=lambda face: float(face.xy[:, 0].mean())
        )
