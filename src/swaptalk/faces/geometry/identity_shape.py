"""The part of a face's shape that belongs to the person rather than to pose or expression.

Two meshes differ by identity, expression and the detector's noise. From photographs of many people,
several of each, the covariance B of people's mean shapes and the covariance W within a person are
known; the best linear estimate of the identity's part of a difference d is B (B + W)^-1 d (Wiener
filter). Both live in the space of the first principal components. `fit_identity_shape` makes the
file beside this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.person_covariance import person_covariances
from swaptalk.faces.geometry.pose import RIGID_POINTS, rotation_matrix
from swaptalk.faces.geometry.topology import CANONICAL_MESH, FACE_OVAL, MIRROR, POINT_COUNT

#: Principal components kept: they hold 99.9 % of the variance of normalised shapes.
COMPONENTS = 48
#: Points within this distance of the outline (canonical units; the outer eye corners are 2 apart)
#: follow it gradually.
_OUTLINE_REACH = 0.45


def _spread(points: NDArray[np.floating]) -> float:
    """Root of the summed squared distances of the rigid points from their mean."""
    rigid = points[RIGID_POINTS]
    return float(np.sqrt(((rigid - rigid.mean(axis=0)) ** 2).sum()))


_CANONICAL_SPREAD = _spread(CANONICAL_MESH)


def normalised_shape(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Remove pose, place and size from a mesh (468, 3); the outer eye corners end up about 2 apart.

    Returns (468, 3) in the frame of the canonical mesh: x to the subject's left, y down, z away
    from the camera.
    """
    centred = mesh - mesh[RIGID_POINTS].mean(axis=0)
    scale = max(_spread(mesh), 1e-6) / _CANONICAL_SPREAD
    return np.asarray(centred @ rotation_matrix(mesh) / scale, np.float32)


@dataclass(frozen=True)
class IdentityShapeModel:
    """Linear estimate of the identity's part of a difference of shapes.

    ``basis`` (K, 1404) float32 holds orthonormal principal components, ``gain`` (K, K) float32 is B
    (B + W)^-1.
    """

    basis: NDArray[np.float32]
    gain: NDArray[np.float32]

    def difference(
        self, source: NDArray[np.floating], target: NDArray[np.floating], outline: float = 1.0
    ) -> NDArray[np.float32]:
        """Estimate by how much the source person's face differs from the target person's.

        Args:
            source: `normalised_shape` (468, 3) of the source, or its mean over several photos.
            target: that of the target, or its mean over a scene.
            outline: share of the difference at the outline of the face, 0..1; inside it is whole.

        Returns:
            (468, 3) in the units of `normalised_shape`.
        """
        seen = np.asarray(source - target, np.float32).reshape(-1)
        estimate = self.basis.T @ (self.gain @ (self.basis @ seen))
        weight = outline + (1 - outline) * _inside()
        return np.asarray(estimate.reshape(POINT_COUNT, 3) * weight[:, None], np.float32)


@lru_cache(maxsize=1)
def _inside() -> NDArray[np.float32]:
    """0 on the outline of the face, 1 from `_OUTLINE_REACH` inwards, for each point (468,)."""
    apart = CANONICAL_MESH[:, None, :2] - CANONICAL_MESH[None, FACE_OVAL, :2]
    distance = np.sqrt((apart**2).sum(axis=-1)).min(axis=1)
    share = np.clip(distance / _OUTLINE_REACH, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def with_shape(mesh: NDArray[np.floating], difference: NDArray[np.floating]) -> NDArray[np.float32]:
    """Add a `difference` (468, 3) of normalised shapes to a mesh (468, 3), in the mesh's own pose
    and size.
    """
    scale = _spread(mesh) / _CANONICAL_SPREAD
    return np.asarray(mesh + scale * difference @ rotation_matrix(mesh).T, np.float32)


@lru_cache(maxsize=1)
def identity_shape_model() -> IdentityShapeModel:
    """Read the model that comes with the package."""
    with (
        resources.files("swaptalk.faces.geometry").joinpath("identity_shape.npz").open("rb") as file
    ):
        arrays = np.load(file, allow_pickle=False)
        return IdentityShapeModel(*(arrays[part].astype(np.float32) for part in ("basis", "gain")))


def fit_identity_shape(
    shapes: NDArray[np.floating], people: NDArray[np.intp], components: int = COMPONENTS
) -> IdentityShapeModel:
    """Fit the model to photographs.

    Args:
        shapes: normalised shapes (N, 468, 3), N above ``components``; each is used a second time in
            the mirror.
        people: number of the person (N,), at least two with two photographs.
        components: principal components to keep.

    Raises:
        ValueError: too few shapes, or nobody has two.
    """
    if len(shapes) <= components:
        raise ValueError(f"{len(shapes)} shapes are too few for {components} components")
    mirrored = shapes[:, MIRROR] * np.array([-1.0, 1.0, 1.0])
    flat = np.concatenate([shapes, mirrored]).reshape(2 * len(shapes), -1).astype(np.float64)
    who = np.concatenate([people, people + people.max() + 1])
    flat -= flat.mean(axis=0)
    basis = np.linalg.eigh(flat.T @ flat)[1][:, ::-1][:, :components].T
    scores = flat @ basis.T
    between, within = person_covariances(scores, who)
    gain = between @ np.linalg.inv(between + within)
    return IdentityShapeModel(basis.astype(np.float32), gain.astype(np.float32))
