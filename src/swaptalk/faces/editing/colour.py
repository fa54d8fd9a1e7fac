"""The colours of a new face as the picture around it has them.

Values are coded with a power law, so ratios of them are ratios of the light to a power: gains of
coded values are one consistent space with the exposure. Brightness is matched place by place, the
balance of the channels as one for the whole face: a local balance would paint the differences of
two people's skin onto temples and jaw.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import LUMA
from swaptalk.faces.geometry.align import CROP_SIZE

#: Colours are compared on a picture of this size: the correction is broad.
COARSE = 32
#: Reach of a place's difference in brightness into its surroundings, crop pixels (standard
#: deviation).
BRIGHTNESS_REACH = 72.0
#: The correction of a channel stays in this range; beyond it hair or background was compared with
#: skin.
GAIN_RANGE = (0.7, 1.4)
#: Places whose brightness ratio differs from the median by more than this factor are such outliers.
OUTLIER = 1.3
#: A place counts if at least this share of it is compared, and a frame if so many places count.
_SHARE, _PLACES = 0.05, 8
#: Far from every compared place the overall gain holds, with this weight.
_PULL = np.float32(0.02)
#: Side of the picture that film tone is measured on.
_TONE_SIDE = 64
#: Colours of dark pictures are small: they are judged as at this mean brightness, but never
#: enlarged by more than the second number.
_MEAN_LEVEL, _LARGEST_FACTOR = 110.0, 8.0
#: A picture is monochrome if its colours lie on a curve over brightness: standard deviation from it
#: up to the first number, in levels; from the second on it is in colour. Of 250 tinted and
#: compressed photographs none exceeds 3.6, half stay below 1.8; of 500 in colour 97 % exceed 4.7.
MONOCHROME, COLOURED = 2.8, 4.5


def colour_gain(
    face: NDArray[np.uint8], crop: NDArray[np.uint8], weight: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """Logarithm of the gain that brings a face to the target's colours, (32, 32, 3) float32.

    Args:
        face: RGB (256, 256, 3) uint8, the new face.
        crop: the target's.
        weight: (256, 256) in 0..1: where both show the same skin.

    Returns:
        None if there is too little to compare.
    """
    size = (COARSE, COARSE)
    small = [
        np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA), np.float32) + 2
        for x in (face, crop)
    ]
    ratio = np.log(small[1] / small[0])
    share = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)
    brightness = ratio @ LUMA
    counted = share > _SHARE
    if counted.sum() < _PLACES:
        return None
    median = float(np.median(brightness[counted]))
    share = share * np.exp(-(((brightness - median) / np.log(OUTLIER)) ** 2))
    total = max(float(share.sum()), 1e-6)
    overall = np.einsum("hw,hwc->c", share, ratio) / total
    sigma = BRIGHTNESS_REACH * COARSE / CROP_SIZE
    near = np.asarray(cv2.GaussianBlur(share, (0, 0), sigma), np.float32)
    local = np.asarray(cv2.GaussianBlur(brightness * share, (0, 0), sigma), np.float32)
    level = (local + _PULL * float(overall @ LUMA)) / (near + _PULL)
    balance = overall - float(overall @ LUMA)
    gain = level[..., None] + balance
    return np.asarray(np.clip(gain, *np.log(GAIN_RANGE)), np.float32)


def apply_gain(face: NDArray[np.uint8], gain: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A face (256, 256, 3) with a gain as of `colour_gain`."""
    full = cv2.resize(np.exp(gain), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(face, full, dtype=cv2.CV_8U), np.uint8)


class FilmTone(NamedTuple):
    """How monochrome a picture is, and the colours that its grey levels have.

    ``share`` is 1 for grey, sepia or tinted pictures and 0 for those in colour. ``curve`` (3, 2)
    are the coefficients of red and blue, less brightness, over brightness in 0..1: constant, linear
    and squared.
    """

    share: float
    curve: NDArray[np.float32]


def film_tone(crop: NDArray[np.uint8]) -> FilmTone:
    """Measure the tone of an RGB picture (H, W, 3) uint8."""
    size = (_TONE_SIDE, _TONE_SIDE)
    small = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.float32)
    pixels = small.reshape(-1, 3)
    luma = pixels @ LUMA
    powers = _powers(luma / 255)
    colours = pixels[:, [0, 2]] - luma[:, None]
    # The normal equations of three coefficients; the ridge keeps an evenly grey picture solvable.
    normal = powers.T @ powers + 1e-3 * np.eye(3, dtype=np.float32)
    curve = np.linalg.solve(normal, powers.T @ colours).astype(np.float32)
    apart = float(np.sqrt(((colours - powers @ curve) ** 2).sum(axis=1).mean()))
    apart *= float(np.clip(_MEAN_LEVEL / max(float(luma.mean()), 1.0), 1, _LARGEST_FACTOR))
    share = float(np.clip((COLOURED - apart) / (COLOURED - MONOCHROME), 0, 1))
    return FilmTone(share, curve)


def apply_tone(face: NDArray[np.uint8], tone: FilmTone) -> NDArray[np.uint8]:
    """A face (H, W, 3) uint8 with the colours of a tone, as far as it is monochrome."""
    if tone.share == 0:
        return face
    levels = np.arange(256, dtype=np.float32)
    red, blue = (_powers(levels / 255) @ tone.curve).T
    # Green is what keeps the brightness.
    green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
    table = np.clip(np.rint(levels[:, None] + np.stack([red, green, blue], axis=1)), 0, 255)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    toned = cv2.merge([cv2.LUT(grey, column.astype(np.uint8)) for column in table.T])
    if tone.share == 1:
        return np.asarray(toned, np.uint8)
    return np.asarray(cv2.addWeighted(toned, tone.share, face, 1 - tone.share, 0), np.uint8)


def _powers(luma: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.stack([np.ones_like(luma), luma, luma**2], axis=1).astype(np.float32)
