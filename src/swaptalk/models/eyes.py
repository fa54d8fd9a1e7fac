"""The eye network: a small picture of an eye -> the contours of its lids, and its iris."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swaptalk.faces.geometry.part_view import eye_region, to_view
from swaptalk.faces.geometry.topology import CANONICAL_MESH, EYE_POINTS, IRIS_POINTS, RIGHT_EYE
from swaptalk.models.part_points import PartPointModel


@dataclass(frozen=True)
class EyeConfig:
    """Shape of the eye network."""

    width: int = 12
    """Channels at half of the view's size; twice and three times as many on the next two grids."""
    features: int = 64
    """Features from which the points are read."""


class EyeModel(PartPointModel):
    """Views of right eyes, or mirrored left ones -> points (N, 21, 2).

    The first 16 are the lids, ordered as `swaptalk.faces.geometry.topology.RIGHT_EYE`; then the
    middle of the iris and four points of its edge.
    """

    def __init__(self, config: EyeConfig | None = None) -> None:
        config = config or EyeConfig()
        canonical = CANONICAL_MESH.astype("float32")
        lids = to_view(canonical[RIGHT_EYE], eye_region(canonical, 0))
        iris = np.repeat(lids.mean(axis=0, keepdims=True), IRIS_POINTS, axis=0)
        mean = np.concatenate([lids, iris])
        assert len(mean) == EYE_POINTS
        super().__init__(config.width, config.features, mean)
        self.config = config
