"""Classical face swap: a source face warped piecewise-affinely onto a target's mesh, relit and
blended.

It serves as the proxy picture from which the swap network learns pose and expression, and as the
baseline without a network in the evaluation.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.mask import inner_fade
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.raster import grid_cells, rasterise
from swaptalk.faces.geometry.topology import (
    BELOW_HAIRLINE,
    CHEEKS,
    FACE_OVAL,
    INNER_LIPS,
    LEFT_EYE,
    LOWER_FACE,
    MIDDLE_FACE,
    MIRROR,
    OUTER_LIPS,
    POINT_COUNT,
    RIGHT_EYE,
    border_points,
    canonical_crop_mesh,
    crop_triangles,
    eye_openness,
)

#: The map is computed on every second pixel and interpolated: it is piecewise affine with triangles
#: of some 8 px.
MAP_STEP = 2
#: The blended area fades from the outline of the face inwards over about twice this share of the
#: crop.
MASK_FADE = 0.04
#: Blur of the edge of the mouth's inside and the eyes, pixels.
HOLE_SIGMA = 1.2
#: A point seen at less than this share of its frontal area is taken from the face's other side,
#: mirrored...
HIDDEN_BELOW = 0.5
#: ...with this transition of the share, and this blur of the seam (share of the crop).
HIDDEN_SOFTNESS = 0.2
HIDDEN_BLUR = 0.02
#: Source area per target area below which a region counts as smeared.
MAXIMUM_STRETCH = 0.35
#: Below this share of the target's lid opening the source's eyes are closed and the target's own
#: are kept.
CLOSED_EYE_RATIO = 0.55
#: Light is transferred at this scale (standard deviation, share of the crop): shading, not
#: features.
LIGHT_SIGMA = 0.16
#: Colour and shading are broad, so they are compared on pictures smaller by this factor.
SHADING_STEP = 4
#: Range of the light's gain: beyond it would be beards, fringes and shadows cast by hair, which
#: make blotches.
LIGHT_GAIN = (0.7, 1.4)
#: Quantiles of the skin's brightness, relative to its surroundings, that stand for its shadows and
#: its highlights...
CONTRAST_QUANTILES = (0.05, 0.95)
#: ...and how far they are brought to the target's: a shiny dark face on a pale one would burn out,
#: the other way round it would look like fog. Shadows less, since beards and wrinkles are among
#: them.
SHADOW_CONTRAST, HIGHLIGHT_CONTRAST = (0.7, 1.4), (0.35, 2.0)
#: Brightness (in stops) and colour (share of the luma) beyond which forehead and temples are not
#: the cheeks' skin.
SKIN_LIGHT, SKIN_COLOUR = 0.7, 0.3
#: Blur before and after that comparison, share of the crop.
SKIN_SIGMA = 0.012
#: What is beyond them counts more and more, in full at 1 + 1 / slope times the limit: skin has no
#: sharp limits.
STRANGE_SLOPE = 2.0
#: Nothing is bare where this share of the blurred neighbourhood is strange: a strand is seldom
#: wider than the blur.
COVERED_SHARE = 0.4
#: Spread (standard deviation, stops) of a face's brightness up to which its light is even, and from
#: which it is hard.
EVEN_LIGHT, HARD_LIGHT = 0.3, 1.0
#: Range of the overall gain of a channel: from the darkest to the fairest skin.
COLOUR_GAIN = (0.15, 6.0)


def _spread(
    values: list[NDArray[np.float32]], target: NDArray[np.floating], size: int, step: int
) -> list[NDArray[np.float32]]:
    """Interpolate vertex values (468 + 16, D) over the target mesh's triangles to dense fields
    (size, size, D).
    """
    triangles = crop_triangles()
    depth = target[:, 2] if target.shape[1] == 3 else None
    sample, owner, weights = rasterise(_with_border(target, size), triangles, size, step, depth)
    corner = triangles[owner]
    cells = grid_cells(size, step)
    # Coarse sample i lies at pixel i * step, which is not how cv2.resize aligns its grids.
    inverse = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    fields = []
    for value in values:
        # Samples in no triangle (a mesh that reaches beyond the fixed frame) keep the last border
        # point's value.
        coarse = np.broadcast_to(value[-1], (cells * cells, value.shape[1])).copy()
        coarse[sample] = (
            value[corner[:, 0]] * weights[:, :1]
            + value[corner[:, 1]] * weights[:, 1:2]
            + value[corner[:, 2]] * weights[:, 2:]
        )
        dense = cv2.warpAffine(
            coarse.reshape(cells, cells, -1),
            inverse,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        fields.append(np.asarray(dense, np.float32))
    return fields


def _with_border(mesh: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(mesh[:, :2], np.float32), border_points(size)])


def dense_map(
    source_mesh: NDArray[np.floating],
    target_mesh: NDArray[np.floating],
    size: int = CROP_SIZE,
    step: int = MAP_STEP,
) -> NDArray[np.float32]:
    """Where each pixel of the target comes from in the source: (size, size, 2) x, y in source
    pixels.

    Args:
        source_mesh: (468, 2 or 3) points in the source crop, pixels.
        target_mesh: (468, 2 or 3) points in the target crop, pixels.
        size: side of both crops.
        step: the map is exact on every ``step``-th pixel and bilinear in between.
    """
    return _spread([_with_border(source_mesh, size)], target_mesh, size, step)[0]


def visibility(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """How much of its frontal area each point's surroundings keep in a crop's mesh (468, 2 or 3).

    Returns (468,): about 1 seen from the front, 0 edge-on, negative where the mesh folds away from
    the camera.
    """
    triangles = crop_triangles()
    triangles = triangles[(triangles < POINT_COUNT).all(axis=1)]
    areas = []
    for points in (np.asarray(mesh[:, :2], np.float32), canonical_crop_mesh()):
        a, b, c = (points[triangles[:, k]] for k in range(3))
        areas.append(
            (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        )
    seen, whole = (np.bincount(triangles.ravel(), np.repeat(x, 3), POINT_COUNT) for x in areas)
    return np.asarray(seen / np.maximum(whole, 1e-3), np.float32)


def _hidden_weight(source_mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Per point 0..1: 1 where the source does not show the point but shows its mirror image
    well.
    """
    seen = visibility(source_mesh)
    hidden = np.clip((HIDDEN_BELOW - seen) / HIDDEN_SOFTNESS, 0, 1)
    better = np.clip((seen[MIRROR] - seen - HIDDEN_SOFTNESS) / HIDDEN_SOFTNESS, 0, 1)
    return np.asarray(hidden * better, np.float32)


def _sample(image: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.uint8]:
    x, y = cv2.split(field)
    return np.asarray(
        cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def mesh_warp(
    source_crop: NDArray[np.uint8],
    source_mesh: NDArray[np.floating],
    target_mesh: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """Move a source crop (S, S, 3) uint8 so that its mesh (468, 2) falls on the target's; same
    shape back.

    What a turned source face hides on its far side is taken from its near side, mirrored.
    """
    size = source_crop.shape[0]
    hidden = _hidden_weight(source_mesh)
    values = [_with_border(source_mesh, size)]
    turned = bool(hidden.max() > 0.05)
    if turned:
        border = np.zeros((len(values[0]) - POINT_COUNT, 1), np.float32)
        values += [
            _with_border(source_mesh[MIRROR], size),
            np.concatenate([hidden[:, None], border]),
        ]
    fields = _spread(values, target_mesh, size, MAP_STEP)
    warped = _sample(source_crop, fields[0])
    if turned:
        other = _sample(source_crop, fields[1])
        share = cv2.GaussianBlur(fields[2], (0, 0), HIDDEN_BLUR * size)
        warped = np.asarray(cv2.blendLinear(other, warped, share, 1 - share), np.uint8)
    return warped


def warp_quality(source_mesh: NDArray[np.floating], target_mesh: NDArray[np.floating]) -> float:
    """Share, 0..1, of the visible target face whose texture the source shows directly and without
    great stretch.

    Pairs below about 0.8 (very different poses) make poor proxies.
    """
    source, target = visibility(source_mesh), visibility(target_mesh)
    weight = np.clip(target, 0, None)
    good = source > MAXIMUM_STRETCH * np.maximum(target, 1)
    return float((weight * good).sum() / max(float(weight.sum()), 1e-6))


def _polygon_mask(points: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """Filled polygon (size, size) of 0 or 255."""
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillPoly(
        canvas, [np.round(points[:, :2] * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4
    )
    return canvas


def _skin_weight(mesh: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Skin inside the face's outline, without eyes and mouth; (size, size) of 0 or 1."""
    mask = _polygon_mask(mesh[FACE_OVAL], size)
    for ring in (LEFT_EYE, RIGHT_EYE, OUTER_LIPS):
        cv2.fillPoly(mask, [np.round(mesh[ring, :2]).astype(np.int32)], (0,))
    return np.asarray(mask > 127, np.float32)


def transfer_light(
    warped: NDArray[np.uint8], target: NDArray[np.uint8], skin: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Give a warped face the light and the contrast of the target's skin.

    Light is a gain of each channel (von Kries), overall and in broad shading. Gains keep black
    black and white balanced, where shifts of the mean in Lab tint hair and eyes.

    Args:
        warped: (S, S, 3) uint8 RGB, the source in the target's pose.
        target: (S, S, 3) uint8 RGB.
        skin: (S, S) weights of the pixels to compare.
    """
    size = target.shape[0]
    small = (size // SHADING_STEP, size // SHADING_STEP)
    weight = np.asarray(cv2.resize(skin, small, interpolation=cv2.INTER_AREA), np.float32)[
        ..., None
    ] + np.float32(1e-4)
    weighted = [
        np.asarray(cv2.resize(x, small, interpolation=cv2.INTER_AREA), np.float32) * weight
        for x in (warped, target)
    ]
    moved, wanted = (x.reshape(-1, 3).sum(axis=0) for x in weighted)
    overall = np.clip((wanted + 1) / (moved + 1), *COLOUR_GAIN)
    blurred = [
        np.asarray(cv2.GaussianBlur(x, (0, 0), LIGHT_SIGMA * small[0]), np.float32)
        for x in weighted
    ]
    floor = 3 * np.asarray(cv2.GaussianBlur(weight, (0, 0), LIGHT_SIGMA * small[0]), np.float32)
    # One grey level a channel is added, so that black divides safely; shading has the light's
    # colour already.
    local = (blurred[1].sum(axis=-1) + floor) / ((blurred[0] * overall).sum(axis=-1) + floor)
    gain = cv2.resize(
        overall * np.clip(local, *LIGHT_GAIN)[..., None],
        (size, size),
        interpolation=cv2.INTER_LINEAR,
    )
    lit = np.asarray(warped * gain, np.float32)
    return np.asarray(
        np.clip(lit * _contrast_gain(lit, target, skin)[..., None] + 0.5, 0, 255), np.uint8
    )


def _contrast_gain(
    lit: NDArray[np.float32], target: NDArray[np.uint8], skin: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Gain (S, S) that gives a relit face the highlights and shadows of the target's skin, within
    limits.

    Both are quantiles of the luma relative to its surroundings, in logarithms.
    """
    shown = skin > 0
    if not shown.any():
        return np.ones(skin.shape, np.float32)
    own, wanted = (_relief(x, skin) for x in (lit, np.asarray(target, np.float32)))
    (dark, bright), (wanted_dark, wanted_bright) = (
        np.quantile(x[shown], CONTRAST_QUANTILES) for x in (own, wanted)
    )
    least = 1e-3  # a flat face has no contrast to change
    shadows = np.clip(min(wanted_dark, -least) / min(dark, -least), *SHADOW_CONTRAST)
    highlights = np.clip(max(wanted_bright, least) / max(bright, least), *HIGHLIGHT_CONTRAST)
    return np.asarray(np.exp(own * (np.where(own < 0, shadows, highlights) - 1)), np.float32)


def _relief(picture: NDArray[np.float32], skin: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithm (S, S) of a picture's luma over that of the skin around each place."""
    size = len(skin)
    small = (size // SHADING_STEP, size // SHADING_STEP)
    luma = _luma(picture)
    weight = np.asarray(
        cv2.resize(skin, small, interpolation=cv2.INTER_AREA), np.float32
    ) + np.float32(1e-4)
    sigma = LIGHT_SIGMA * small[0]
    weighted = cv2.resize(luma, small, interpolation=cv2.INTER_AREA) * weight
    around = np.asarray(
        cv2.GaussianBlur(weighted, (0, 0), sigma) / cv2.GaussianBlur(weight, (0, 0), sigma)
    )
    return np.asarray(
        np.log(luma / cv2.resize(around, (size, size), interpolation=cv2.INTER_LINEAR)), np.float32
    )


def _luma(picture: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness (S, S), 1..256, of an RGB picture (S, S, 3) in 0..255: one is added so that black
    divides safely.
    """
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32) + 1


def bare_skin(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where forehead and temples show skin rather than hair, hats or hands; (S, S) in 0..1, 1
    everywhere below.

    What is much darker or lighter than the cheeks, or of another colour, does not count as skin.
    Brows, eyes and the lower face are left alone: there darker things belong to the face.

    Args:
        picture: (S, S, 3) uint8 RGB crop.
        mesh: (468, 2 or 3) in its pixels.
    """
    size = picture.shape[0] // MAP_STEP  # the blur leaves nothing finer
    mesh = mesh[:, :2] / MAP_STEP
    small = np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), SKIN_SIGMA * size), np.uint8)
    cheeks = np.zeros((size, size), np.uint8)
    for ring in CHEEKS:
        cv2.fillConvexPoly(cheeks, np.round(mesh[ring]).astype(np.int32), (255,))
    skin = cheeks > 127
    if not skin.any():
        return np.ones(picture.shape[:2], np.float32)
    luma = _luma(small)
    strange = np.abs(np.log2(luma / np.median(luma[skin]))) / SKIN_LIGHT
    for channel in cv2.split(small):
        share = np.asarray(channel, np.float32) / luma
        strange = np.maximum(strange, np.abs(share - np.median(share[skin])) / SKIN_COLOUR)
    zone = np.zeros((size, size), np.uint8)
    cv2.fillPoly(zone, [cv2.convexHull(np.round(mesh).astype(np.int32))], (255,))
    for part in (LOWER_FACE, MIDDLE_FACE):
        cv2.fillPoly(zone, [cv2.convexHull(np.round(mesh[part]).astype(np.int32))], (0,))
    strange = np.clip(STRANGE_SLOPE * (strange - 1), 0, 1) * (zone > 0)
    covered = cv2.GaussianBlur(strange.astype(np.float32), (0, 0), SKIN_SIGMA * size)
    bare = np.clip(1 - covered / COVERED_SHARE, 0, 1)
    return np.asarray(
        cv2.resize(bare, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32
    )


def source_quality(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> float:
    """How well a face (S, S, 3) uint8 serves as a source, 0..1: its forehead bare, its light even.

    Hair across the face, hats and hard shadows would be carried over as if they were features.
    """
    size = picture.shape[0]
    skin = _skin_weight(mesh, size)
    bare = float((bare_skin(picture, mesh) * skin).sum() / max(float(skin.sum()), 1.0))
    small = (size // 8, size // 8)
    weight = np.asarray(cv2.resize(skin, small, interpolation=cv2.INTER_AREA), np.float32)
    stops = np.log2(
        _luma(np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.uint8))
    )
    mean = (stops * weight).sum() / max(float(weight.sum()), 1e-6)
    spread = float(np.sqrt((weight * (stops - mean) ** 2).sum() / max(float(weight.sum()), 1e-6)))
    return float(np.clip(bare, 0, 1)) * float(
        np.clip((HARD_LIGHT - spread) / (HARD_LIGHT - EVEN_LIGHT), 0, 1)
    )


def swap_mask(target_mesh: NDArray[np.floating], size: int, keep_eyes: bool) -> NDArray[np.float32]:
    """Where the source replaces the target, (size, size) in 0..1.

    That is the face but its outline, the inside of the mouth and, if ``keep_eyes``, the eyes.
    """
    mask = inner_fade(target_mesh, MASK_FADE * size, size, BELOW_HAIRLINE)
    hole = np.zeros((size, size), np.uint8)
    for ring in [INNER_LIPS, LEFT_EYE, RIGHT_EYE] if keep_eyes else [INNER_LIPS]:
        hole = np.maximum(hole, _polygon_mask(target_mesh[ring], size))
    soft_hole = np.asarray(cv2.GaussianBlur(hole, (0, 0), HOLE_SIGMA), np.float32) / np.float32(255)
    return mask * (1 - soft_hole)


def mesh_warp_swap(
    source_crop: NDArray[np.uint8],
    source_mesh: NDArray[np.floating],
    target_crop: NDArray[np.uint8],
    target_mesh: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """Put the source's face on the target: the target's pose, expression, light and surroundings.

    The inside of the mouth (teeth, tongue) stays the target's, since it belongs to the expression;
    so do the eyes where the source's are closed and the target's open.

    Args:
        source_crop: (S, S, 3) uint8 RGB aligned crop.
        source_mesh: (468, 2 or 3) in pixels of that crop.
        target_crop: (S, S, 3) uint8 RGB aligned crop.
        target_mesh: (468, 2 or 3) in pixels of that crop.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    size = target_crop.shape[0]
    warped = mesh_warp(source_crop, source_mesh, target_mesh)
    keep_eyes = eye_openness(source_mesh) < CLOSED_EYE_RATIO * eye_openness(target_mesh)
    lit = transfer_light(warped, target_crop, _skin_weight(target_mesh, size))
    mask = swap_mask(target_mesh, size, keep_eyes)
    mask = mask * np.minimum(bare_skin(lit, target_mesh), bare_skin(target_crop, target_mesh))
    return np.asarray(cv2.blendLinear(lit, target_crop, mask, 1 - mask), np.uint8)
