"""Stage ``eyes``: the eye network learns from a teacher where lids and irises are.

The composite moves the source's eyes with it to where the target looks
(`swaptalk.faces.detection.eyes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.faces.geometry.part_view import EYE_REGION_SIDE, eye_region
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import EYE_POINTS, LEFT_EYE, RIGHT_EYE
from swaptalk.losses.landmarks import landmark_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.eyes import EyeConfig, EyeModel
from swaptalk.training.stage import Batch
from swaptalk.training.stages.part_points import PartPointOptions, PartPointStage

#: The view's unit, half of its side, in % of the eye distance.
PERCENT = 100 * EYE_REGION_SIDE / 2
#: The teacher's irises: the middle, then the edge towards the nose, above, towards the temple and
#: below.
RIGHT_IRIS = np.arange(468, 473)
LEFT_IRIS = np.array([473, 476, 475, 474, 477], np.intp)
#: Upper and lower lid at the same width, places in the ring.
_UPPER, _LOWER = list(range(1, 8)), list(range(15, 8, -1))
_LIDS = len(RIGHT_EYE)


@dataclass(frozen=True)
class EyeWeights:
    """Weight of each loss."""

    lids: float = 1.0
    """Distance of the lids' points from the teacher's."""
    opening: float = 1.0
    """Distance of the openings between upper and lower lid from the teacher's."""
    iris: float = 1.0
    """Distance of the iris's points from the teacher's."""


@dataclass(frozen=True, kw_only=True)
class EyeOptions(PartPointOptions):
    """Distil the network that measures eyes."""

    out: Path = Path("runs/eyes")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    model: EyeConfig = field(default_factory=EyeConfig)
    """Shape of the network."""
    weights: EyeWeights = field(default_factory=EyeWeights)
    """Weights of the losses."""


class EyeStage(PartPointStage):
    """The eye network, on views of right eyes, left ones mirrored, and the teacher's points."""

    name = part = "eyes"
    averaged = ("eyes",)
    options: EyeOptions

    def __init__(self, options: EyeOptions) -> None:
        torch.manual_seed(options.seed)
        points = np.concatenate([RIGHT_EYE, RIGHT_IRIS, LEFT_EYE, LEFT_IRIS])
        mirror = np.roll(np.arange(2 * EYE_POINTS), EYE_POINTS)
        super().__init__(options, EyeModel(options.model), points, mirror)

    def region(self, mesh: NDArray[np.float32]) -> CropRegion:
        """The square around the right eye."""
        return eye_region(mesh, 0)

    def seen(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """The right eye's points; of a mirrored face that is the left eye."""
        return points[:EYE_POINTS]

    def mesh_points(self, mesh: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mesh's lids."""
        return mesh[RIGHT_EYE]

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """The teacher's lids, their openings and the iris."""
        made, real = self.networks["eyes"](batch["views"]), batch["points"]
        terms = LossTerms(self.options.weights)
        terms.add("lids", lambda: landmark_loss(made[:, :_LIDS], real[:, :_LIDS]))
        terms.add("opening", lambda: landmark_loss(lid_openings(made), lid_openings(real)))
        terms.add("iris", lambda: landmark_loss(made[:, _LIDS:], real[:, _LIDS:]))
        yield "eyes", terms

    def metrics(
        self, made: torch.Tensor, real: torch.Tensor, mesh: torch.Tensor
    ) -> dict[str, float]:
        """Lids, openings and irises."""
        found = {"network_iris": PERCENT * float(landmark_loss(made[:, _LIDS:], real[:, _LIDS:]))}
        for name, guess in (("network", made), ("mesh", mesh)):
            found[f"{name}_lids"] = PERCENT * float(
                landmark_loss(guess[:, :_LIDS], real[:, :_LIDS])
            )
            apart = [lid_openings(points) for points in (guess, real)]
            found[f"{name}_opening"] = PERCENT * float(landmark_loss(*apart))
            openings = [one[..., 1].mean(dim=1) for one in apart]
            found[f"{name}_opening_correlation"] = float(
                torch.corrcoef(torch.stack(openings))[0, 1]
            )
        return found


def lid_openings(points: torch.Tensor) -> torch.Tensor:
    """Vectors (N, 7, 2) from the upper to the lower lid of eye points (N, 16 or more, 2)."""
    return points[:, _LOWER] - points[:, _UPPER]
