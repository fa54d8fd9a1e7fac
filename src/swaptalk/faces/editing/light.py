"""Measure the light on a face, and give a source the light of a target.

Two steps. `measure_light` fits first-order spherical harmonics to the logarithm of the skin's
colours over the normals of the mesh (Basri and Jacobs 2003: a convex matte surface shows little
more), and `light_change` exchanges one such light for another, even where they come from opposite
sides. `transfer_light` then matches what is left: overall colour, broad shading and contrast.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.box import Box
from swaptalk.faces.geometry.topology import (
    FACE_OVAL,
    LEFT_EYE,
    LIPS,
    POINT_COUNT,
    RIGHT_EYE,
    face_triangles,
)

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
SHADOW_CONTRAST, HIGHLIGHT_CONTRAST = (0.6, 1.4), (0.35, 1.5)
#: Range of the overall gain of a channel: from the darkest to the fairest skin.
COLOUR_GAIN = (0.15, 6.0)
#: Crop pixels averaged for the colour of a point of the mesh: pores and noise are no light.
SAMPLE_STEP = 4
#: Grey levels added before logarithms, so that black divides safely and noise in the dark is no
#: light.
DARK = 6.0
#: Strength of the prior that light comes from everywhere, in points; along y it is stronger, since
#: beards darken the lower half of a face as light from above does.
PRIOR = np.array([0.0, 12.0, 40.0, 30.0], np.float32)
#: Residual (natural logarithm) from which a point counts less: hair, shadows and highlights are not
#: the skin's light.
OUTLIER = 0.25
#: Rounds of reweighting.
_ROUNDS = 3
#: Largest change of the light's logarithm at a point: a factor of 2.7.
LARGEST_CHANGE = 1.0
#: Scale of patches of another colour (standard deviation, share of the crop), and by how much
#: (natural logarithm of a channel's share of the brightness) they may differ from the target's.
PATCH_SIGMA, HUE_LIMIT = 0.05, np.float32(0.08)
#: Weights of red, green and blue in brightness (BT.601).
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Points on skin: neither outline (hair, background) nor eyes nor lips.
_SKIN = np.setdiff1d(np.arange(POINT_COUNT), np.concatenate([FACE_OVAL, LEFT_EYE, RIGHT_EYE, LIPS]))


def mesh_normals(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Unit normals (468, 3) of a mesh (468, 3), pointing out of the face (towards -z where it looks
    at the camera).
    """
    triangles = face_triangles()
    a, b, c = np.asarray(mesh, np.float32)[triangles.T]
    (ux, uy, uz), (vx, vy, vz) = (c - a).T, (b - a).T
    corners = triangles.ravel()
    normals = np.stack(
        [
            np.bincount(corners, np.repeat(one, 3), POINT_COUNT)
            for one in (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
        ],
        axis=1,
    )
    return np.asarray(
        normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6), np.float32
    )


def _harmonics(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Terms (N, 4) of first-order spherical harmonics."""
    return np.concatenate([np.ones((len(normals), 1), np.float32), normals], axis=1)


def measure_light(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Measure the light on a face.

    Args:
        picture: (S, S, 3) uint8 RGB crop.
        mesh: (468, 3) in its pixels.

    Returns:
        (4, 3): log colour of the skin under even light, and its change along x, y and z of the
        normal, per channel.
    """
    size = picture.shape[0] // SAMPLE_STEP
    small = np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.float32)
    normals = mesh_normals(mesh)
    place = ((mesh[_SKIN, :2] + 0.5) / SAMPLE_STEP - 0.5).astype(np.float32)
    seen = cv2.remap(
        small, place[:, 0], place[:, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    values = np.log(seen.reshape(-1, 3) + DARK)
    terms = _harmonics(normals[_SKIN])
    # What is seen edge-on is background as likely as skin.
    weight = np.clip(-normals[_SKIN, 2], 0, 1)
    light = np.zeros((4, 3), np.float32)
    for _ in range(_ROUNDS):
        weighted = terms * weight[:, None]
        light = np.linalg.solve(
            weighted.T @ terms + np.diag(PRIOR) + 1e-3 * np.eye(4), weighted.T @ values
        )
        residual = np.abs(values - terms @ light).max(axis=1)
        weight = np.clip(-normals[_SKIN, 2], 0, 1) / (1 + (residual / OUTLIER) ** 2)
    return np.asarray(light, np.float32)


def light_change(
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    before_normals: NDArray[np.float32],
    after_normals: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Gain (468, 3) of each point's colour that takes one light, from `measure_light`, off and puts
    another on.

    Args:
        before: (4, 3) light on the source's photo.
        after: (4, 3) light on the target.
        before_normals: `mesh_normals` (468, 3) of the source's photo.
        after_normals: those of the face as the target shows it.
    """
    change = _harmonics(after_normals) @ after - _harmonics(before_normals) @ before
    middle = change[_SKIN].mean(axis=0)
    return np.asarray(
        np.exp(middle + np.clip(change - middle, -LARGEST_CHANGE, LARGEST_CHANGE)), np.float32
    )


def transfer_light(
    warped: NDArray[np.uint8],
    target: NDArray[np.uint8],
    skin: NDArray[np.float32],
    box: Box | None = None,
) -> NDArray[np.uint8]:
    """Give a warped face the light and the contrast of the target's skin.

    Light is a gain of each channel (von Kries), overall and in broad shading. Gains keep black
    black and white balanced, where shifts of the mean in Lab tint hair and eyes. Patches of another
    colour are evened out.

    Args:
        warped: (S, S, 3) uint8 RGB, the source in the target's pose.
        target: (S, S, 3) uint8 RGB.
        skin: (S, S) weights of the pixels to compare.
        box: holds all of the skin; outside the face stays as it is. None is the whole picture.
    """
    size = target.shape[0]
    box = (box or Box(0, size, 0, size)).aligned(SHADING_STEP)
    part = box.slices
    small = (size // SHADING_STEP, size // SHADING_STEP)
    shown = Skin.of(skin, box)
    weighted = [
        np.asarray(cv2.resize(x, small, interpolation=cv2.INTER_AREA), np.float32)
        * shown.weight[..., None]
        for x in (warped, target)
    ]
    moved, wanted = (x.reshape(-1, 3).sum(axis=0) for x in weighted)
    overall = np.clip((wanted + 1) / (moved + 1), *COLOUR_GAIN)
    before, after = (around(x.sum(axis=-1)) for x in (weighted[0] * overall, weighted[1]))
    # One grey level a channel is added, so that black divides safely; shading has the light's
    # colour already.
    local = (after + 3 * shown.around) / (before + 3 * shown.around)
    coarse = np.asarray(overall * np.clip(local, *LIGHT_GAIN)[..., None], np.float32)
    coarse *= _even_hues(weighted[0] * coarse, weighted[1], shown.weight)
    gain = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    lit = np.asarray(warped[part] * gain[part], np.float32)
    lit *= _contrast_gain(lit, target[part], shown)[..., None]
    lit += np.float32(0.5)
    made = warped.copy()
    made[part] = np.clip(lit, 0, 255, out=lit)
    return made


def _even_hues(
    face: NDArray[np.float32], target: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Gain (s, s, 3) that takes broad patches of another colour off a relit face, which light of
    several colours left in the photo: hues that differ from the target's by more than those of skin
    do are compressed; brightness stays.

    Args:
        face: (s, s, 3) small picture, times ``weight``.
        target: the same of the target.
        weight: (s, s) of the pixels that are skin.
    """
    spread = around(weight, PATCH_SIGMA)[..., None]
    hues = []
    for weighted in (face, target):
        broad = np.asarray((around(weighted, PATCH_SIGMA) + spread) / spread, np.float32)
        hue = np.log(broad / (luma(broad) - 1)[..., None])
        hues.append(hue - (hue * weight[..., None]).sum(axis=(0, 1)) / weight.sum())
    # Where the target itself is burnt or in coloured light, the face follows it in part.
    apart = hues[0] - HUE_LIMIT * np.tanh(hues[1] / HUE_LIMIT)
    gain = np.exp(HUE_LIMIT * np.tanh(apart / HUE_LIMIT) - apart)
    own = np.exp(hues[0])
    return np.asarray(gain * ((luma(own) - 1) / (luma(own * gain) - 1))[..., None], np.float32)


class Skin(NamedTuple):
    """The pixels of a face's skin.

    ``shown`` (h, w) bool in ``box``; of the whole picture, small, ``weight`` (S / 4, S / 4), 0..1,
    and ``around``, its mean over the surroundings of each place.
    """

    box: Box
    shown: NDArray[np.bool_]
    weight: NDArray[np.float32]
    around: NDArray[np.float32]

    @classmethod
    def of(cls, skin: NDArray[np.float32], box: Box) -> Skin:
        """Of weights (S, S)."""
        side = len(skin) // SHADING_STEP
        small = cv2.resize(skin, (side, side), interpolation=cv2.INTER_AREA)
        weight = np.asarray(small, np.float32) + np.float32(1e-4)
        return cls(box, skin[box.slices] > 0, weight, around(weight))


def around(small: NDArray[np.float32], sigma: float = LIGHT_SIGMA) -> NDArray[np.float32]:
    """Mean over the surroundings of each place of a small picture (s, s, ...); ``sigma`` is a share
    of its side.
    """
    return np.asarray(cv2.GaussianBlur(small, (0, 0), sigma * len(small)), np.float32)


def _contrast_gain(
    lit: NDArray[np.float32], target: NDArray[np.uint8], skin: Skin
) -> NDArray[np.float32]:
    """Gain (h, w) that gives a relit face the highlights and shadows of the target's skin, within
    limits, in the skin's box.

    Both are quantiles of the luma relative to its surroundings, in logarithms, on every second
    pixel.
    """
    if not skin.shown.any():
        return np.ones(skin.shown.shape, np.float32)
    own = relief(lit, skin)
    wanted = relief(np.asarray(target, np.float32), skin, 2)
    counted = skin.shown[::2, ::2]
    (dark, bright), (wanted_dark, wanted_bright) = (
        np.quantile(x[counted], CONTRAST_QUANTILES) for x in (own[::2, ::2], wanted)
    )
    least = 1e-3  # a flat face has no contrast to change
    shadows = np.clip(min(wanted_dark, -least) / min(dark, -least), *SHADOW_CONTRAST)
    highlights = np.clip(max(wanted_bright, least) / max(bright, least), *HIGHLIGHT_CONTRAST)
    change = np.where(own < 0, np.float32(shadows - 1), np.float32(highlights - 1))
    change *= own
    return np.exp(change, out=change)


def relief(picture: NDArray[np.float32], skin: Skin, step: int = 1) -> NDArray[np.float32]:
    """Logarithm of a picture's luma over that of the skin around each place, at every ``step``-th
    pixel, (h / step, w / step); picture (h, w, 3) and result fill the skin's box.
    """
    brightness, place = luma(picture), skin.box.coarser(SHADING_STEP)
    weighted = np.zeros_like(skin.weight)
    weighted[place.slices] = cv2.resize(brightness, place.size, interpolation=cv2.INTER_AREA)
    weighted *= skin.weight
    side = SHADING_STEP * len(weighted)
    surroundings = cv2.resize(
        around(weighted) / skin.around, (side, side), interpolation=cv2.INTER_LINEAR
    )[skin.box.slices]
    return np.asarray(np.log(brightness[::step, ::step] / surroundings[::step, ::step]), np.float32)


def luma(picture: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness (S, S), 1..256, of an RGB picture (S, S, 3) in 0..255: one is added so that black
    divides safely.
    """
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32) + 1
