"""Stage ``lips``: the lip network learns from a teacher where lips are.

Its answers correct the mesh's mouth wherever a face is measured (`swaptalk.faces.detection.lips`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.faces.geometry.part_view import REGION_SIDE, lip_region
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import LIPS, MIRROR
from swaptalk.losses.landmarks import landmark_loss, lip_openings, opening_loss
from swaptalk.losses.terms import LossTerms
from swaptalk.models.lips import LipConfig, LipModel
from swaptalk.training.stage import Batch
from swaptalk.training.stages.part_points import PartPointOptions, PartPointStage

#: The view's unit, half of its side, in % of the eye distance.
PERCENT = 100 * REGION_SIDE / 2
#: The mirrored mouth's point i is this one of the mouth.
_MIRROR = np.array([int(np.flatnonzero(MIRROR[point] == LIPS)[0]) for point in LIPS], np.intp)


@dataclass(frozen=True)
class LipWeights:
    """Weight of each loss."""

    points: float = 1.0
    """Distance of the points from the teacher's."""
    opening: float = 1.0
    """Distance of the openings between upper and lower lip from the teacher's."""


@dataclass(frozen=True, kw_only=True)
class LipOptions(PartPointOptions):
    """Distil the network that measures lips."""

    out: Path = Path("runs/lips")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    model: LipConfig = field(default_factory=LipConfig)
    """Shape of the network."""
    weights: LipWeights = field(default_factory=LipWeights)
    """Weights of the losses."""


class LipStage(PartPointStage):
    """The lip network, on views of mouths and the teacher's points."""

    name = part = "lips"
    averaged = ("lips",)
    options: LipOptions

    def __init__(self, options: LipOptions) -> None:
        torch.manual_seed(options.seed)
        super().__init__(options, LipModel(options.model), LIPS, _MIRROR)

    def region(self, mesh: NDArray[np.float32]) -> CropRegion:
        """The square around the mouth."""
        return lip_region(mesh)

    def seen(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """All lips."""
        return points

    def mesh_points(self, mesh: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mesh's lips."""
        return mesh[LIPS]

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        """The teacher's points and openings."""
        made = self.networks["lips"](batch["views"])
        terms = LossTerms(self.options.weights)
        terms.add("points", lambda: landmark_loss(made, batch["points"]))
        terms.add("opening", lambda: opening_loss(made, batch["points"]))
        yield "lips", terms

    def metrics(
        self, made: torch.Tensor, real: torch.Tensor, mesh: torch.Tensor
    ) -> dict[str, float]:
        """Points, openings, and how well openings go together."""
        found = {}
        for name, guess in (("network", made), ("mesh", mesh)):
            found[f"{name}_points"] = PERCENT * float(landmark_loss(guess, real))
            found[f"{name}_opening"] = PERCENT * float(opening_loss(guess, real))
            openings = [lip_openings(lips)[..., 1].mean(dim=1) for lips in (guess, real)]
            found[f"{name}_opening_correlation"] = float(
                torch.corrcoef(torch.stack(openings))[0, 1]
            )
        return found
