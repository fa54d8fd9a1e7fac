"""What has to be known of source and target before a face is swapped: found out once, and shared by
the threads of a job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.beard import Beards, compare_beards, measure_beard
from swaptalk.faces.editing.eyewear import Eyewear, eyewear
from swaptalk.faces.editing.face_photo import FacePhoto, beard_of
from swaptalk.faces.editing.hair import is_covered
from swaptalk.faces.editing.shading import measure_texture
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.analysis.source import AnySource

#: Decodes the pictures (H, W, 3) of target frames.
TargetPictures = Callable[[Sequence[int]], Iterable[NDArray[np.uint8]]]
#: The target's shading is looked at in so many frames.
SHADING_FRAMES = 3


@dataclass(frozen=True)
class SwapFacts:
    """What `SwapSetup` finds out."""

    crops: dict[int, NDArray[np.uint8]]
    """Aligned crops (256, 256, 3) of the target's `Analysis.samples`, by frame."""
    meshes: dict[int, NDArray[np.float32]]
    """Meshes (468, 3) of the same."""
    worn: Eyewear
    """The target's glasses."""
    covered: bool
    """Whether something lies in front of the target's face."""
    beards: Beards
    """What becomes of both faces' beards."""
    photos: tuple[FacePhoto, ...]
    """The source's photos as they are put on this target."""


class SwapSetup:
    """Finds out what a swap needs to know when it is first asked; safe to use from several threads.

    Args:
        analysis: first pass of the target.
        source: person to put into the video.
        pictures: decodes target frames, for those whose crops the first pass did not keep.
    """

    def __init__(self, analysis: Analysis, source: AnySource, pictures: TargetPictures) -> None:
        self._analysis, self._source, self._pictures = analysis, source, pictures
        self._lock = threading.Lock()
        self._facts: SwapFacts | None = None

    @property
    def facts(self) -> SwapFacts:
        """What was found out."""
        with self._lock:
            if self._facts is None:
                with closing(self._analysis.reopened()) as analysis:
                    self._facts = self._found(analysis)
            return self._facts

    def _found(self, analysis: Analysis) -> SwapFacts:
        crops = self._crops(analysis, analysis.samples, analysis.sample_crops)
        meshes = {frame: analysis.mesh(frame) for frame in crops}
        shown, places = list(crops.values()), list(meshes.values())
        photos = self._source.photos
        beards = compare_beards(beard_of(photos), measure_beard(shown, places))
        if beards is Beards.SHAVEN:
            photos = tuple(one.shaven for one in photos)
        pairs = list(zip(shown, places, strict=True))
        seen = [measure_texture(crop, mesh) for crop, mesh in pairs[:SHADING_FRAMES]]
        return SwapFacts(
            crops,
            meshes,
            eyewear(shown, places),
            any(is_covered(crop, mesh) for crop, mesh in pairs),
            beards,
            tuple(one.shaded_like(seen) for one in photos),
        )

    def reference_crops(self, analysis: Analysis) -> dict[int, NDArray[np.uint8]]:
        """Aligned crops (256, 256, 3) of the target's reference frames, by frame."""
        return self._crops(analysis, analysis.references, analysis.reference_crops)

    def _crops(
        self, analysis: Analysis, wanted: NDArray[np.intp], kept: NDArray[np.uint8] | None
    ) -> dict[int, NDArray[np.uint8]]:
        frames = [int(frame) for frame in wanted]
        if kept is not None:
            return dict(zip(frames, kept, strict=True))
        return {
            frame: analysis.crop(frame, picture)
            for frame, picture in zip(frames, self._pictures(frames), strict=True)
        }
