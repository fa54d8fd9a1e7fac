"""What still lies on a photo's skin once hair, rims and shadows that were found are off it:
strands, tips of a fringe, edges of a hat, burnt spots and shadows with sharp edges.

The skin there becomes what `swaptalk.faces.editing.face_texture` expects it to be: everywhere where
it is very strange in one piece, and near what was found also where it is a little strange.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.face_texture import (
    SIDE,
    TextureFit,
    face_grid,
    face_texture_model,
    from_canonical,
    in_crop,
    on_canonical,
)
from swaptalk.faces.editing.mask import brows, disc, eyes_and_lips
from swaptalk.faces.editing.mesh_warp import mesh_raster, spread, visibility
from swaptalk.faces.editing.smile_folds import fold_zone
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import canonical_crop_mesh

#: Far from what was found skin is replaced where strangeness and difference (natural logarithm)
#: are above the first pair, in pieces of so many places of the grid, of which so many are above the
#: second: moles and wrinkles are smaller or fainter.
_STRANGE, _VERY_STRANGE = (3.0, 0.22), (5.0, 0.4)
_LEAST_PIECE, _LEAST_CORE = 40, 6
#: Near it, from the first value on, wholly from the second: strangeness, and difference.
_NEAR_STRANGE, _NEAR_DIFFERENT = (1.2, 2.5), (0.05, 0.12)
#: What counts as near, places of the grid, and the blur of that edge.
_REACH, _REACH_SIGMA = 7, 2.0
#: How little what was found itself counts when the model is fitted: it has been replaced already.
_REPLACED = 0.7
#: Room around eyes and lips, and around brows, that are left alone, crop pixels.
_FEATURE_ROOM, _BROW_ROOM = 6, 5
#: Points that are seen with less of their frontal area are left alone.
_LEAST_SEEN = 0.3
#: Folds are narrower than about twice this, places of the grid.
_BROADEST_FOLD = 3
#: Growth of the mask and blur of its edge, places of the grid.
_GROWTH, _EDGE = 2, 1.5

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SkinRepair:
    """``expected`` (256, 256, 3) uint8 in the crop, and its ``share`` (256, 256) in 0..1."""

    expected: NDArray[np.uint8]
    share: Floats

    def applied(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop (S, S, 3) with its skin repaired, at whatever resolution."""
        size = (len(picture), len(picture))
        expected, share = (
            np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_LINEAR))
            for one in (self.expected, self.share)
        )
        return np.asarray(cv2.blendLinear(expected, picture, share, 1 - share), np.uint8)


def repair_skin(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], replaced: Floats, kept: Floats
) -> SkinRepair | None:
    """How a photo's skin is to be repaired; None where nothing is strange.

    Args:
        picture: (256, 256, 3) uint8 RGB crop, without what was found on it.
        mesh: (468, 3) in its pixels.
        replaced: (256, 256) in 0..1, where that was.
        kept: (256, 256) in 0..1, what must stay as it is: a beard.
    """
    found = on_canonical(np.asarray(replaced, np.float32), mesh)
    found = np.asarray(cv2.resize(found, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)
    fit = face_texture_model().fit(picture, mesh, _REPLACED * np.asarray(replaced, np.float32))
    skin = _skin() * _seen(mesh) * (1 - _folds(fit))
    share = np.maximum(_near(fit, found), _far(fit, skin > 0.5)) * skin
    share = from_canonical(np.asarray(share, np.float32), mesh) * (1 - kept)
    if share.max() < 0.01:
        return None
    return SkinRepair(in_crop(fit.expected, mesh), np.asarray(share, np.float32))


def _near(fit: TextureFit, found: Floats) -> Floats:
    """Share of the expected skin near what was ``found`` (128, 128) in 0..1."""
    around = cv2.dilate((found > 0.3).astype(np.float32), disc(_REACH))
    around = cv2.GaussianBlur(around, (0, 0), _REACH_SIGMA)
    strange = np.asarray(cv2.GaussianBlur(fit.strangeness, (0, 0), 0.7), np.float32)
    share = around * _smooth_step(strange, _NEAR_STRANGE)
    share = share * _smooth_step(fit.difference, _NEAR_DIFFERENT)
    return np.asarray(cv2.GaussianBlur(cv2.dilate(share, np.ones((3, 3))), (0, 0), 0.8), np.float32)


def _far(fit: TextureFit, skin: NDArray[np.bool_]) -> Floats:
    """Share of the expected skin where it is very strange in one piece."""
    low, high = (
        skin & (fit.strangeness > strange) & (fit.difference > different)
        for strange, different in (_STRANGE, _VERY_STRANGE)
    )
    _, pieces, measures, _ = cv2.connectedComponentsWithStats(low.astype(np.uint8))
    cores = np.bincount(pieces[high], minlength=len(measures))
    large = (measures[:, cv2.CC_STAT_AREA] >= _LEAST_PIECE) & (cores >= _LEAST_CORE)
    large[0] = False  # what is not strange
    grown = cv2.dilate(large[pieces].astype(np.float32), disc(_GROWTH))
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), _EDGE), np.float32)


@lru_cache(maxsize=1)
def _skin() -> Floats:
    """The canonical face without features, (128, 128) in 0..1."""
    canonical = canonical_crop_mesh()
    features = eyes_and_lips(canonical, CROP_SIZE, _FEATURE_ROOM)
    features |= brows(canonical, CROP_SIZE, _BROW_ROOM)
    small = cv2.resize(features, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    skin = (face_grid() & (small == 0)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(skin, (0, 0), 1.0), np.float32)


def _folds(fit: TextureFit) -> Floats:
    """Where lines beside the mouth are folds, (128, 128) in 0..1: they are the person's, and
    `swaptalk.faces.editing.smile_folds` takes care of those of smiles. What is broader is none.
    """
    strange, different = _STRANGE
    seen = (fit.strangeness > strange) & (fit.difference > different)
    broad = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_OPEN, disc(_BROADEST_FOLD))
    broad = cv2.dilate(broad, disc(_BROADEST_FOLD)).astype(np.float32)
    zone = fold_zone(canonical_crop_mesh() / 2, SIDE)
    return np.asarray(zone * (1 - cv2.GaussianBlur(broad, (0, 0), 1.0)), np.float32)


def _seen(mesh: NDArray[np.floating]) -> Floats:
    """1 where a mesh is seen well, (128, 128) on the canonical grid."""
    seen = np.asarray(visibility(np.asarray(mesh, np.float32)) > _LEAST_SEEN, np.float32)
    shown = spread(seen, mesh_raster(canonical_crop_mesh()))
    return np.asarray(cv2.resize(shown, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _smooth_step(values: NDArray[np.floating], limits: tuple[float, float]) -> Floats:
    share = np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
