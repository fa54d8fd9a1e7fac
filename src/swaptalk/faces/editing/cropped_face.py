"""A face in an aligned crop, with what composites ask of it, measured once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import measure_light, mesh_normals
from swaptalk.faces.editing.mesh_warp import hidden_weight
from swaptalk.faces.geometry.pose import Pose, estimate_pose


@dataclass(frozen=True)
class CroppedFace:
    """Aligned crop (256, 256, 3) uint8 RGB and mesh (468, 3) in its pixels."""

    crop: NDArray[np.uint8]
    mesh: NDArray[np.float32]

    @cached_property
    def pose(self) -> Pose:
        """Head pose."""
        return estimate_pose(self.mesh)

    @cached_property
    def hidden(self) -> NDArray[np.float32]:
        """Points (468,) that the crop does not show but whose mirror image it does, 0..1."""
        return hidden_weight(self.mesh)

    @cached_property
    def light(self) -> NDArray[np.float32]:
        """Light on the face, see `measure_light`."""
        return measure_light(self.crop, self.mesh)

    @cached_property
    def normals(self) -> NDArray[np.float32]:
        """Normals of the mesh (468, 3)."""
        return mesh_normals(self.mesh)
