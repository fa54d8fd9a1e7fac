"""Give a photo the shading of a target beyond first-order light: shine, cast shadows, lamps from
close by, folds of an expression.

Textures of one person differ from photo to photo, by light and expression, and from person to
person. Both covariances, W and B, are known from people with several photos, over the components of
`swaptalk.faces.editing.face_texture`. The best linear estimate of what light and expression have
made of the difference d of two faces is W (B + W)^-1 d (the Wiener filter of
`swaptalk.faces.geometry.identity_shape`, the other way round): that is the target's afterwards, the
rest stays the source's. `fit_shading_model` makes the file beside this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.eyewear import glasses_rims
from swaptalk.faces.editing.face_texture import (
    Floats,
    TextureFit,
    at_points,
    face_grid,
    face_texture_model,
)
from swaptalk.faces.editing.hair_network import measure_hair
from swaptalk.faces.editing.light import DARK, LUMA
from swaptalk.faces.editing.mask import disc
from swaptalk.faces.editing.mesh_warp import mesh_raster, spread
from swaptalk.faces.geometry.person_covariance import person_covariances

#: What networks are as sure of lies in front of a face, and so many crop pixels around it, say
#: nothing about its shading.
SURE, AROUND = 0.15, 8
#: Blur of a change (standard deviation, pixels of the canonical grid): shading is broader than
#: pores and lashes.
_SMOOTH = 2.0
#: Changes of this size (natural logarithm) are halved, smaller ones nearly left out: where light is
#: much alike already the photo stays as it is. Their size is that of the surroundings.
_LEAST_CHANGE, _SURROUNDINGS = 0.3, 6.0
#: The largest change (natural logarithm).
_MOST_CHANGE = 1.0


def covered_places(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> Floats:
    """Where something lies in front of a face, or may do so, (256, 256) of 0 or 1.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.
    """
    seen = np.maximum(measure_hair(picture), glasses_rims(picture, mesh)) > SURE
    return np.asarray(cv2.dilate(seen.astype(np.float32), disc(AROUND)), np.float32)


def measure_texture(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> TextureFit:
    """Explain a face as `FaceTextureModel.fit` does, apart from what lies in front of it; arguments
    as of `covered_places`.
    """
    return face_texture_model().fit(picture, mesh, covered_places(picture, mesh))


@dataclass(frozen=True)
class ShadingModel:
    """``shading`` (K, K) takes the shading out of a difference of two faces' components; ``level``
    (K, 3) says what a difference of their levels changes besides: dark skin shines more.
    """

    shading: Floats
    level: Floats

    def change(self, before: TextureFit, after: Sequence[TextureFit]) -> Floats:
        """What gives a face the shading of another one.

        Args:
            before: the face.
            after: the other one, in one or more pictures.

        Returns:
            Natural logarithms (468, 3) of the change of red, green and blue at the points of the
            mesh.
        """
        components = np.mean([one.components for one in after], axis=0) - before.components
        levels = np.mean([one.levels for one in after], axis=0) - before.levels
        wanted = self.shading @ components + self.level @ levels
        change = face_texture_model().change(np.asarray(wanted, np.float32))
        inside = face_grid().astype(np.float32)
        share = _blurred(inside, _SMOOTH) + np.float32(1e-3)
        change = _blurred(change * inside[..., None], _SMOOTH) / share[..., None]
        brightness = cv2.transform(change, LUMA[None])
        size = np.square(_blurred(np.abs(brightness), _SURROUNDINGS))[..., None]
        change *= size / (size + _LEAST_CHANGE**2)
        return at_points(np.clip(change, -_MOST_CHANGE, _MOST_CHANGE))


def _blurred(grid: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(grid, (0, 0), sigma), np.float32)


def shaded(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], change: Floats
) -> NDArray[np.uint8]:
    """A face with another shading.

    Args:
        picture: its crop (S, S, 3) uint8 RGB.
        mesh: (468, 2 or 3) in pixels of a crop of 256.
        change: from `ShadingModel.change`.
    """
    raster = mesh_raster(mesh)
    gain = np.exp(np.stack([spread(one, raster) for one in change.T], axis=-1))
    gain = np.asarray(cv2.resize(gain, picture.shape[:2], interpolation=cv2.INTER_LINEAR))
    lit = (picture + np.float32(DARK)) * gain - np.float32(DARK)
    return np.asarray(np.clip(np.round(lit), 0, 255), np.uint8)


@lru_cache(maxsize=1)
def shading_model() -> ShadingModel:
    """Read the model that comes with the package."""
    with resources.files(__package__).joinpath("shading.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        return ShadingModel(*(arrays[part].astype(np.float32) for part in ("shading", "level")))


def fit_shading_model(
    components: NDArray[np.floating], levels: NDArray[np.floating], people: NDArray[np.intp]
) -> ShadingModel:
    """Fit the model to photographs.

    Args:
        components: (N, K) of `TextureFit`.
        levels: (N, 3) of the same.
        people: number of the person (N,), at least two with two photographs.

    Raises:
        ValueError: too few photographs, or nobody has two.
    """
    if len(components) <= components.shape[1]:
        raise ValueError(f"{len(components)} photos are too few")
    terms = np.concatenate([np.ones((len(levels), 1)), levels], axis=1)
    slopes = np.linalg.lstsq(terms, components, rcond=None)[0]
    between, within = person_covariances(components - terms @ slopes, people)
    shading = within @ np.linalg.inv(between + within)
    level = (np.eye(len(shading)) - shading) @ slopes[1:].T
    return ShadingModel(shading.astype(np.float32), level.astype(np.float32))
