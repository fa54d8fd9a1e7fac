"""How each person in the target usually looks, gathered while the faces are followed."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.align import crop_face, estimate_alignment
from swaptalk.faces.occlusion import AppearanceCollector, AppearanceModel
from swaptalk.faces.track import TrackedFrame

#: People whose looks are kept, a few megabytes each; beyond, the one seen least is forgotten.
MAXIMUM_PEOPLE = 12
#: One frame in so many is looked at: neighbours look alike.
EVERY = 3


class Appearances:
    """Looks of the people of a clip; memory does not grow with its length."""

    def __init__(self) -> None:
        self._collectors: dict[int, AppearanceCollector] = {}
        self._frames: dict[int, int] = {}

    def add(self, frame: TrackedFrame, picture: NDArray[np.uint8]) -> None:
        """Take the usable faces of the next frame and its picture (H, W, 3)."""
        if frame.index % EVERY:
            return
        for face in frame.faces:
            if face.usable:
                alignment = estimate_alignment(face.landmarks.xy)
                collector = self._collectors.setdefault(face.track, AppearanceCollector())
                collector.add(crop_face(picture, alignment), alignment.to_crop(face.landmarks.xy))
                self._frames[face.track] = self._frames.get(face.track, 0) + 1
        if len(self._collectors) > MAXIMUM_PEOPLE:
            del self._collectors[min(self._collectors, key=lambda track: self._frames[track])]

    def model(self, tracks: Collection[int]) -> AppearanceModel | None:
        """Looks of the first of these tracks that was seen often enough, or None."""
        models = (self._collectors[track].model() for track in tracks if track in self._collectors)
        return next((model for model in models if model is not None), None)
