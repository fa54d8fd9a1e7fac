"""What a face would look like without what lies on it: a linear model of faces' brightness and
colours, fitted to one face so that whatever it cannot explain does not count.

Textures are moved onto the canonical mesh and reduced to principal components (Turk and Pentland
1991; for shape-free textures Cootes et al. 2001). Hair, rims, hats, hands, cast shadows and burnt
spots are not among those, and a robust fit (Black and Jepson 1996) does not follow them.
`fit_texture_model` makes the file beside this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mesh_warp import (
    mesh_raster,
    mesh_warp,
    polygon_mask,
    spread,
    visibility,
)
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import FACE_OVAL, MIRROR, POINT_COUNT, canonical_crop_mesh

#: Side of the grid in the canonical crop on which brightness is described; colours have half of it.
SIDE = 128
_COLOUR_SIDE = SIDE // 2
#: Principal components kept: more follow hair, fewer leave features of the face unexplained.
COMPONENTS = 80
#: Rounds of a fit, the multiple of a pixel's usual error at which its weight has fallen to a
#: quarter, and how many of the pixels count as independent of their neighbours.
_ROUNDS, _TOLERANCE, _INDEPENDENT = 8, 2.0, 0.02
#: Rounds of `fit_texture_model`, the multiple of the usual error beyond which a pixel is not
#: learned, and the least usual error of a logarithm.
_FITS, _CLIPPED, _LEAST_ERROR = 6, 2.5, 0.01
#: Further directions, and powers, of the randomised decomposition (Halko et al. 2011).
_OVERSAMPLED, _POWERS = 20, 3
#: Grey levels added before logarithms, so that noise in the dark weighs little.
_DARK = 8.0
#: Blur of colours (standard deviation), pixels of the grid.
_COLOUR_SIGMA = 1.5
#: Shares of red, green and blue in the brightness.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
#: Blur of the light of both sides (standard deviation, pixels of the grid), the share of its way to
#: the middle that a point is looked at from the outline, and the most that both sides differ
#: (natural logarithm).
_SIDE_SIGMA, _INWARDS, _MOST_APART = 2.0, 0.04, 0.9
#: A point counts wholly from this share of its frontal area on.
_SEEN = 0.5

Floats = NDArray[np.float32]


@lru_cache(maxsize=1)
def face_grid() -> NDArray[np.bool_]:
    """Which places of the grid (128, 128) lie in the canonical face."""
    outline = polygon_mask(canonical_crop_mesh()[FACE_OVAL], CROP_SIZE)
    return np.asarray(cv2.resize(outline, (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 127)


@lru_cache(maxsize=1)
def _colour_grid() -> NDArray[np.bool_]:
    """Which places of the grid of colours (64, 64) do."""
    pairs = face_grid().reshape(_COLOUR_SIDE, 2, _COLOUR_SIDE, 2)
    return np.asarray(pairs.any(axis=(1, 3)))


def canonical_face(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A crop (256, 256, 3) moved onto the canonical mesh: (128, 128, 3)."""
    frontal = mesh_warp(picture, mesh, canonical_crop_mesh(), np.zeros(POINT_COUNT, np.float32))
    return np.asarray(cv2.resize(frontal, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def texture_of(face: NDArray[np.uint8]) -> Floats:
    """Texture (D,) of a `canonical_face`: log brightness and two log ratios of colours."""
    logs = np.log(face.astype(np.float32) + np.float32(_DARK))
    brightness = np.log(luma(face) + np.float32(_DARK - 1))
    parts = [brightness[face_grid()]]
    for one, other in ((0, 1), (1, 2)):
        ratio = cv2.GaussianBlur(logs[..., one] - logs[..., other], (0, 0), _COLOUR_SIGMA)
        small = cv2.resize(ratio, (_COLOUR_SIDE,) * 2, interpolation=cv2.INTER_AREA)
        parts.append(small[_colour_grid()])
    return np.concatenate(parts).astype(np.float32)


def _parts(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Brightness, red against green and green against blue of a texture (D,), each on the grid
    (128, 128); 0 outside the face.
    """
    whole, small = face_grid(), _colour_grid()
    first, second = np.count_nonzero(whole), np.count_nonzero(small)
    brightness = np.zeros(whole.shape, np.float32)
    brightness[whole] = values[:first]
    colours = []
    for one in (values[first : first + second], values[first + second :]):
        grid = np.zeros(small.shape, np.float32)
        grid[small] = one
        colours.append(np.repeat(np.repeat(grid, 2, axis=0), 2, axis=1) * whole)
    return brightness, colours[0], colours[1]


def _levels(texture: Floats) -> tuple[Floats, Floats]:
    """Median of each of the three parts of a texture (D,): (3,), and at each of its places."""
    first, second = np.count_nonzero(face_grid()), np.count_nonzero(_colour_grid())
    parts = np.split(texture, [first, first + second])
    levels = np.array([np.median(part) for part in parts], np.float32)
    return levels, np.repeat(levels, [len(part) for part in parts])


@dataclass(frozen=True)
class TextureFit:
    """A face as the model explains it, on the canonical grid.

    ``expected`` (128, 128, 3) uint8 RGB; ``strangeness`` (128, 128) float32, the error in multiples
    of what is usual at each place, over brightness and colours; ``difference`` (128, 128) float32,
    the largest error of the three, natural logarithm, not negative; ``components`` (K,), how much
    of each the face has, and ``levels`` (3,), its usual brightness and colours.
    """

    expected: NDArray[np.uint8]
    strangeness: Floats
    difference: Floats
    components: Floats
    levels: Floats


@dataclass(frozen=True)
class FaceTextureModel:
    """Linear model of textures (D,) relative to their `_levels`: ``mean`` (D,), orthonormal
    ``basis`` (K, D), ``variance`` (K,) along it and ``error`` (D,), what is usually left.
    """

    mean: Floats
    basis: Floats
    variance: Floats
    error: Floats

    def fit(
        self, picture: NDArray[np.uint8], mesh: NDArray[np.floating], covered: Floats
    ) -> TextureFit:
        """Explain a face.

        Args:
            picture: (256, 256, 3) uint8 RGB crop.
            mesh: (468, 2 or 3) in its pixels.
            covered: (256, 256) in 0..1, how little a place is to count.
        """
        face = canonical_face(picture, mesh)
        texture = texture_of(face)
        levels, everywhere = _levels(texture)
        wanted = texture - everywhere - self.mean
        certain = _INDEPENDENT * self._counts(mesh, covered) / self.error**2
        weight, left, weighted = certain, wanted, np.empty_like(self.basis)
        for _ in range(_ROUNDS):
            root = np.sqrt(weight)
            np.multiply(self.basis, root, out=weighted)
            # The product of a matrix with itself costs half of any other.
            system = weighted @ weighted.T + np.diag(1 / self.variance)
            share = np.linalg.solve(system, weighted @ (root * wanted))
            left = np.asarray(wanted - share @ self.basis, np.float32)
            strange = self._strangeness(left)
            tolerated = 1 / (1 + (strange / _TOLERANCE) ** 2) ** 2
            weight = certain * as_texture(np.asarray(tolerated, np.float32))
        return TextureFit(
            _picture(texture - left, face),
            strange,
            np.max(np.abs(np.stack(_parts(left))), axis=0),
            np.asarray(share, np.float32),
            levels,
        )

    def change(self, components: Floats) -> Floats:
        """What a change of the components (K,) changes, (128, 128, 3) on the canonical grid: the
        natural logarithms of red, green and blue.
        """
        brightness, red_green, green_blue = _parts(np.asarray(components @ self.basis, np.float32))
        green = brightness - _RED * red_green + _BLUE * green_blue
        return np.stack([green + red_green, green, green - green_blue], axis=-1)

    def _counts(self, mesh: NDArray[np.floating], covered: Floats) -> Floats:
        """How much each value of a texture (D,) counts: 0 where the face is turned away."""
        canonical = canonical_crop_mesh()
        seen = np.clip(visibility(np.asarray(mesh, np.float32)) / _SEEN, 0, 1)
        free = spread(seen, mesh_raster(canonical)) * (1 - on_canonical(covered, mesh))
        small = cv2.resize(free, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return as_texture(np.asarray(small, np.float32))

    def _strangeness(self, left: Floats) -> Floats:
        """Root of the mean square of the three errors, in multiples of the usual ones."""
        parts = _parts(left / self.error)
        return np.asarray(np.sqrt(np.mean(np.square(np.stack(parts)), axis=0)), np.float32)


def on_canonical(mask: Floats, mesh: NDArray[np.floating]) -> Floats:
    """A mask (256, 256) in 0..1 of a crop, moved onto the canonical mesh."""
    return _moved(mask, mesh, canonical_crop_mesh())


def from_canonical(mask: Floats, mesh: NDArray[np.floating]) -> Floats:
    """A mask (128, 128) in 0..1 on the canonical grid, moved onto a mesh: (256, 256)."""
    whole = cv2.resize(mask, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)
    return _moved(np.asarray(whole, np.float32), canonical_crop_mesh(), mesh)


def expected_face(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], covered: Floats
) -> NDArray[np.uint8]:
    """The face of a crop as the model explains it, in the crop (256, 256, 3); arguments as of
    `FaceTextureModel.fit`.
    """
    return in_crop(face_texture_model().fit(picture, mesh, covered).expected, mesh)


def in_crop(face: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A face (128, 128, 3) on the canonical grid, moved onto a mesh: (256, 256, 3)."""
    whole = cv2.resize(face, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_CUBIC)
    nothing = np.zeros(POINT_COUNT, np.float32)
    return mesh_warp(np.asarray(whole, np.uint8), canonical_crop_mesh(), mesh, nothing)


def mirror_gain(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> Floats:
    """What the mirror image of a face is to be multiplied by to lie in the light of the side that
    it is laid on, as the model expects both: (468, 3), at the points of the mesh.

    Args:
        picture: (256, 256, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.
    """
    nothing = np.zeros(picture.shape[:2], np.float32)
    expected = face_texture_model().fit(picture, mesh, nothing).expected
    logs = np.log(expected.astype(np.float32) + np.float32(_DARK))
    levels = at_points(np.asarray(cv2.GaussianBlur(logs, (0, 0), _SIDE_SIGMA), np.float32))
    apart = np.clip(levels - levels[MIRROR], -_MOST_APART, _MOST_APART)
    return np.asarray(np.exp(apart), np.float32)


def at_points(grid: Floats) -> Floats:
    """Values on the canonical grid (128, 128, 3) at the points of the mesh, (468, 3); the outline's
    are taken a little inside.
    """
    points = canonical_crop_mesh()
    points = points + _INWARDS * (points.mean(axis=0) - points)
    x, y = ((points.T + 0.5) * (SIDE / CROP_SIZE) - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(grid, x[:, None], y[:, None], cv2.INTER_LINEAR)[:, 0], np.float32)


def _moved(mask: Floats, mesh: NDArray[np.floating], onto: NDArray[np.floating]) -> Floats:
    layer = np.asarray(cv2.merge([np.asarray(np.round(255 * mask), np.uint8)] * 3), np.uint8)
    moved = mesh_warp(layer, mesh, onto, np.zeros(POINT_COUNT, np.float32))
    return np.asarray(moved[..., 0], np.float32) / np.float32(255)


def as_texture(places: Floats) -> Floats:
    """What values at the places of the grid (128, 128) are for each value of a texture (D,)."""
    small = cv2.resize(places, (_COLOUR_SIDE,) * 2, interpolation=cv2.INTER_AREA)[_colour_grid()]
    return np.concatenate([places[face_grid()], small, small]).astype(np.float32)


def _picture(texture: Floats, around: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB (128, 128, 3) of a texture (D,); outside the face what is ``around``."""
    brightness, red_green, green_blue = _parts(texture)
    red, blue = np.exp(red_green), np.exp(-green_blue)
    green = np.exp(brightness) / (_RED * red + _GREEN + _BLUE * blue)
    face = np.stack([green * red, green, green * blue], axis=-1) - np.float32(_DARK)
    face[~face_grid()] = around[~face_grid()]
    return np.asarray(np.clip(np.round(face), 0, 255), np.uint8)


@lru_cache(maxsize=1)
def face_texture_model() -> FaceTextureModel:
    """Read the model that comes with the package."""
    with resources.files(__package__).joinpath("face_texture.npz").open("rb") as file:
        return read_texture_model(file)


def read_texture_model(file: IO[bytes]) -> FaceTextureModel:
    """Read what `write_texture_model` has written."""
    arrays = np.load(file, allow_pickle=False)
    basis = arrays["basis"] * arrays["scale"][:, None]
    rest = (arrays[part].astype(np.float32) for part in ("mean", "variance", "error"))
    mean, variance, error = rest
    return FaceTextureModel(mean, np.asarray(basis, np.float32), variance, error)


def write_texture_model(model: FaceTextureModel, file: IO[bytes]) -> None:
    """Write a model, its basis in steps of a 127th of each component's largest value."""
    scale = np.abs(model.basis).max(axis=1) / 127
    basis = np.round(model.basis / scale[:, None]).astype(np.int8)
    np.savez(
        file,
        mean=model.mean.astype(np.float16),
        basis=basis,
        scale=scale.astype(np.float32),
        variance=model.variance.astype(np.float32),
        error=model.error.astype(np.float16),
    )


def fit_texture_model(
    textures: NDArray[np.floating],
    known: NDArray[np.bool_],
    components: int = COMPONENTS,
    seed: int = 0,
) -> FaceTextureModel:
    """Fit the model to faces, of which whatever few of them have is not learned.

    Args:
        textures: (N, D) of `texture_of`, N above ``components``.
        known: (N, D), False where something lies in front of the face; what the model expects
            takes its place.
        components: principal components to keep.
        seed: of the randomised decomposition.

    Raises:
        ValueError: too few textures.
    """
    if len(textures) <= components:
        raise ValueError(f"{len(textures)} textures for {components} components")
    rows = np.stack([np.asarray(row, np.float32) - _levels(row)[1] for row in textures])
    mean = (rows * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    rng, learned = np.random.default_rng(seed), np.where(known, rows, mean)
    for _ in range(_FITS):
        mean = learned.mean(axis=0)
        centred = learned - mean
        basis, strengths = _components(centred, components, rng)
        explained = mean + centred @ basis.T @ basis
        left = rows - explained
        error = 1.48 * np.median(np.abs(left), axis=0) + _LEAST_ERROR  # 1.48: of a normal spread
        learned = explained + known * np.clip(left, -_CLIPPED * error, _CLIPPED * error)
    variance = np.square(strengths) / len(rows)
    return FaceTextureModel(mean, basis, variance.astype(np.float32), error.astype(np.float32))


def _components(centred: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The first principal components (K, D) of rows (N, D), and their singular values (K,)."""
    sketch = rng.normal(size=(centred.shape[1], count + _OVERSAMPLED)).astype(np.float32)
    for _ in range(_POWERS):
        sketch, _ = np.linalg.qr(centred.T @ (centred @ sketch))
    _, strengths, turned = np.linalg.svd(centred @ sketch, full_matrices=False)
    return np.asarray((turned @ sketch.T)[:count], np.float32), strengths[:count]
