"""The photo's detail for the frames of one target."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.detail import FrameDetail, PhotoDetail, large_enough
from swaptalk.faces.geometry.identity_shape import with_shape
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.analysis.source import AnySource
from swaptalk.pipeline.render.face_swapper import FaceSwapper, scene_difference


class DetailTrack:
    """Detail of the source's photos, moved into frames as the composite moves the photos.

    The photos are not looked at before a frame has a face that is large enough.

    Args:
        source: person whose face goes into the video.
        swapper: knows how the photos are put on the target.
        strength: how much of the identity is taken, 0..1.
        shape: whose shape the face gets, from 0 (the target's) to 1 (the source's).
        spoken: whether lips and jaw follow a recording.
    """

    def __init__(
        self,
        source: AnySource,
        swapper: FaceSwapper,
        strength: float,
        shape: float,
        spoken: bool,
    ) -> None:
        self._source, self._swapper = source, swapper
        self._strength, self._shape = strength, shape
        self._spoken = spoken
        self._differences: dict[int, NDArray[np.float32]] = {}

    @cached_property
    def _detail(self) -> PhotoDetail:
        return PhotoDetail(self._swapper.photos, self._strength, self._spoken)

    def at(self, analysis: Analysis, frame: int) -> FrameDetail | None:
        """Detail for a usable frame of the target; None where there is none.

        Args:
            analysis: of the target, opened for the thread that asks.
            frame: number in the target.
        """
        alignment = analysis.alignment(frame)
        if not large_enough(alignment):
            return None
        scene = analysis.scene(frame)
        if scene not in self._differences:
            self._differences[scene] = scene_difference(
                self._source, analysis, scene, self._shape * self._strength
            )
        return self._detail(with_shape(analysis.mesh(frame), self._differences[scene]), alignment)
