"""Take off a photo what a large change of light would blow up.

Gains that turn one skin's colour into another's multiply everything else, too: the noise of a weak
channel, and the shine, shadows and stubble of dark skin, which are many times as strong on it as on
fair skin. Where the change is large, the face is therefore calmed before it gets another light.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import SHADING_STEP, Skin, around, luma, relief
from swaptalk.faces.editing.mask import brows, eyes_and_lips
from swaptalk.faces.editing.mesh_warp import polygon_mask, skin_weight
from swaptalk.faces.geometry.box import Box
from swaptalk.faces.geometry.topology import FACE_OVAL, INNER_LIPS, OUTER_LIPS

#: Difference of the gains of two channels (natural logarithm) up to which a face keeps all its
#: differences of colour. Larger gains blow up what coloured light has left of the weakest channel,
#: noise, compression and shadows first: differences shrink with this power of the gains.
CALM_GAIN, CALMING = 0.45, 1.5
#: Gains of the brightness (natural logarithm) from which on contrasts shrink, and from which on
#: they are those of much fairer skin.
BRIGHTENED = (0.2, 0.9)
#: Share of the contrasts (natural logarithm) that skin keeps there: of what is darker than its
#: surroundings, and of what is brighter. Darkness beyond `HAIR` is hair or a nostril, which stay as
#: black as they are when skin is brightened: there contrasts grow, over a width of `HAIR_WIDTH`.
SKIN_CONTRAST, SHINE_CONTRAST, HAIR_CONTRAST = 0.6, 0.5, 1.15
HAIR, HAIR_WIDTH = 0.5, 0.1
#: The same of lips; what is between them or at their edge is dark, too.
LIP_CONTRAST, LIP_SHINE = 0.8, 0.35
#: Least and largest colour of lips relative to the skin around them (natural logarithm of red,
#: green and blue over the brightness): brown lips of dark skin would come out purple on pale skin.
LIP_COLOUR = np.array([[0.05, -0.3, -0.3], [0.3, 0.0, 0.0]], np.float32)
#: Share of its differences of colour that brightened skin loses.
PLAINNESS = 0.75
#: What is darker than the skin around it, from the first to the second of these (natural
#: logarithm): brows, lids, creases...
DARKNESS = (0.15, 0.5)
#: ...and by how much its colours may differ from the skin's (red against green, green against blue;
#: natural logarithm). Film, filters and compression leave more in the dark, which turns red, purple
#: or green where the face is brightened.
DARK_HUE = 0.25
#: Grey levels added before logarithms of colours: noise in the dark is none.
_DARK = 8.0
#: Blur of such colours, which takes their grain off, and of the edges of what is dark, crop pixels
#: (standard deviation).
_GRAIN, _DARK_EDGE = 0.7, 1.0
#: Blur of the edges of skin and lips, crop pixels (standard deviation).
_EDGE = 2.0
#: Brows keep their contrast, and so many crop pixels around them.
_BROW_ROOM = 2


class Kept(NamedTuple):
    """Shares, 0..1, that a photo keeps before it is given another light: of its differences of
    colour, and of its contrasts.
    """

    colours: float
    contrasts: float

    @classmethod
    def of(cls, before: NDArray[np.floating], after: NDArray[np.floating]) -> Kept:
        """Of two lights (4, 3) from `measure_light`: that on the photo and the one to come."""
        change = after[0] - before[0]
        coloured = max(float(np.ptp(change)), 1e-6)
        first, last = BRIGHTENED
        brightened = np.clip((float(change.mean()) - first) / (last - first), 0, 1)
        return cls(min(1.0, CALM_GAIN / coloured) ** CALMING, float(1 - brightened))


def plain_colours(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A face in the broad colours of its skin and one colour of lips: brightness and detail stay.

    Args:
        picture: (S, S, 3) uint8 RGB.
        mesh: (468, 2 or 3) in its pixels.
    """
    weight = skin_weight(mesh, len(picture))
    small = (len(picture) // SHADING_STEP,) * 2
    weight = np.asarray(cv2.resize(weight, small, interpolation=cv2.INTER_AREA), np.float32)
    seen = np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.float32)
    broad = around((seen + 1) * (weight + np.float32(1e-4))[..., None])
    hue = np.asarray(cv2.resize(_hue(broad), picture.shape[1::-1]), np.float32)
    lips = _lips(mesh, len(picture))
    if lips.any():
        red, around_it = (
            np.array([[cv2.mean(x, lips)[:3]]], np.float32) for x in (picture + 1.0, hue)
        )
        apart = np.clip(np.log(_hue(red) / around_it), *LIP_COLOUR)
        hue = _hue(hue * (1 + _soft(lips)[..., None] * (np.exp(apart) - 1)))
    plain = hue * luma(picture)[..., None] - 1
    return np.clip(np.round(plain), 0, 255).astype(np.uint8)


def plain_shadows(picture: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A face without strange colours in brows, lids and creases; brightness, eyes and lips stay.

    Args:
        picture: (S, S, 3) uint8 RGB.
        mesh: (468, 2 or 3) in its pixels, with the lids as the picture shows them.
    """
    size = len(picture)
    skin = skin_weight(mesh, size)
    sure = skin > 0.5
    if not sure.any():
        return picture
    before = picture + np.float32(_DARK)
    logs = np.log(before)
    ratios = np.stack([logs[..., 0] - logs[..., 1], logs[..., 1] - logs[..., 2]], axis=-1)
    apart = cv2.GaussianBlur(ratios, (0, 0), _GRAIN) - np.median(ratios[sure], axis=0)
    limited = DARK_HUE * np.tanh(apart / DARK_HUE)
    change = _darkness(picture, mesh, skin)[..., None] * (limited - apart)
    gain = np.exp(np.stack([change[..., 0], np.zeros_like(skin), -change[..., 1]], axis=-1))
    made = np.asarray(before * gain, np.float32)
    made *= ((luma(before) - 1) / (luma(made) - 1))[..., None]
    return np.asarray(np.clip(np.round(made - _DARK), 0, 255), np.uint8)


def _darkness(
    picture: NDArray[np.uint8], mesh: NDArray[np.floating], skin: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How dark a face is beside its skin (S, S), 0..1; 0 in eyes and lips."""
    size = len(picture)
    dark = relief(np.asarray(picture, np.float32), Skin.of(skin, Box(0, size, 0, size)))
    first, last = DARKNESS
    share = np.clip((-first - dark) / (last - first), 0, 1)
    kept = _soft(eyes_and_lips(mesh, size, 1))
    face = polygon_mask(mesh[FACE_OVAL], size) / np.float32(255)
    share = np.asarray(share * share * (3 - 2 * share) * face * (1 - kept), np.float32)
    return np.asarray(cv2.GaussianBlur(share, (0, 0), _DARK_EDGE), np.float32)


def calm_contrasts(
    picture: NDArray[np.uint8], plain: NDArray[np.uint8], mesh: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """A face as it would be with much fairer skin, as dark as before: what is only skin or lips has
    less contrast and less colour, hair more contrast.

    Args:
        picture: (S, S, 3) uint8 RGB.
        plain: its `plain_colours`.
        mesh: (468, 2 or 3) in its pixels.
    """
    size = len(picture)
    skin, lips = skin_weight(mesh, size), _soft(_lips(mesh, size))
    bare = skin * (brows(mesh, size, _BROW_ROOM) == 0).astype(np.float32)
    calm = np.asarray(cv2.addWeighted(picture, 1 - PLAINNESS, plain, PLAINNESS, 0), np.float32)
    before = relief(calm, Skin.of(skin, Box(0, size, 0, size)))
    bright = np.maximum(before, 0)
    dark = before - bright
    beyond = HAIR_WIDTH * np.logaddexp(0, (-dark - HAIR) / HAIR_WIDTH)
    of_skin = SHINE_CONTRAST * bright + SKIN_CONTRAST * dark
    of_skin -= (HAIR_CONTRAST - SKIN_CONTRAST) * beyond
    of_lips = LIP_SHINE * bright + LIP_CONTRAST * dark
    after = of_skin + lips * (of_lips - of_skin)
    shown = np.maximum(cv2.GaussianBlur(bare, (0, 0), _EDGE), lips)
    calm *= np.exp(shown * (after - before))[..., None]
    return np.clip(np.round(calm), 0, 255).astype(np.uint8)


def _hue(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture (h, w, 3) over its brightness."""
    return np.asarray(picture / (luma(picture) - 1)[..., None], np.float32)


def _lips(mesh: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """Red of the lips, (size, size) of 0 or 255."""
    mask = polygon_mask(mesh[OUTER_LIPS], size)
    cv2.fillPoly(mask, [np.round(mesh[INNER_LIPS, :2]).astype(np.int32)], (0,))
    return mask


def _soft(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A mask of 0 or 255 with soft edges, 0..1."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), _EDGE), np.float32) / np.float32(255)
