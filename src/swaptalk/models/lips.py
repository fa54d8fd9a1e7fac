"""The lip network: a small picture of a mouth -> the 40 points of its lips."""

from __future__ import annotations

from dataclasses import dataclass

from swaptalk.faces.geometry.part_view import lip_region, to_view
from swaptalk.faces.geometry.topology import CANONICAL_MESH, LIPS
from swaptalk.models.part_points import PartPointModel


@dataclass(frozen=True)
class LipConfig:
    """Shape of the lip network."""

    width: int = 32
    """Channels at half of the view's size; twice and three times as many on the next two grids."""
    features: int = 128
    """Features from which the points are read."""


class LipModel(PartPointModel):
    """Views of mouths -> points (N, 40, 2) ordered as `swaptalk.faces.geometry.topology.LIPS`."""

    def __init__(self, config: LipConfig | None = None) -> None:
        config = config or LipConfig()
        canonical = CANONICAL_MESH.astype("float32")
        mean = to_view(canonical[LIPS], lip_region(canonical))
        super().__init__(config.width, config.features, mean)
        self.config = config
