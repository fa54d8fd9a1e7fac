"""Contrasts and colours of what lies between the lips, where a network has made it: no grey haze,
green cavities, purple tongues or blue teeth.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.light import LUMA, luma

#: Brightness relative to the skin around the mouth (natural logarithm), and the least and the most
#: of red and of blue against green there, relative to the skin's. Of 774 open mouths in real clips
#: of 226 people: a fiftieth and nine tenths for red, a tenth and three quarters for blue. Dark is
#: red there, bright as neutral as teeth; blue beyond that looks ill.
BRIGHTNESS = np.array([-1.75, -1.25, -0.85, -0.55, -0.3, -0.1, 0.15, 0.5])
LEAST_RED = np.array([0.3, 0.13, 0.06, -0.01, -0.08, -0.14, -0.2, -0.29])
MOST_RED = np.array([2.02, 1.26, 0.69, 0.44, 0.29, 0.18, 0.09, 0.1])
LEAST_BLUE = np.array([-0.5, -0.65, -0.36, -0.16, -0.07, -0.03, 0.0, 0.01])
MOST_BLUE = np.array([0.27, 0.28, 0.16, 0.14, 0.12, 0.12, 0.13, 0.12])
#: Brightness (see above) as networks make it, and as it should be: around the middle of an inside
#: it spreads by .23 there, by .38 in real mouths. What is as bright as skin already stays so: teeth
#: must not glare.
CONTRAST = np.array([[-2.0, -0.55, -0.2, 0.0, 0.5], [-2.5, -0.55, -0.1, 0.02, 0.4]])
#: Red against green of skin, below which a film has less colour than those clips, down to none.
_COLOURED = 0.25
#: Added to grey levels before logarithms; blur of colours (standard deviation, crop pixels).
_FLOOR, _SIGMA = 4.0, 1.0


def natural_inside(
    made: NDArray[np.uint8],
    real: NDArray[np.uint8],
    skin: NDArray[np.uint8],
    inside: NDArray[np.float32],
    contrast: bool,
) -> NDArray[np.uint8]:
    """Give the inside of a mouth colours that mouths have.

    Args:
        made: (H, W, 3) uint8 RGB, a network's picture of a lower face.
        real: (H, W, 3), the same lower face in real colours.
        skin: (H, W), not 0 where both show skin.
        inside: (H, W), above 0 where the inside is.
        contrast: give it the contrasts of real mouths, too.

    Returns:
        ``made`` (H, W, 3) uint8, changed in the rectangle around the inside as if all of it lay
        between the lips.
    """
    before, after = (
        np.log(np.array(cv2.mean(one, skin)[:3], np.float32) + np.float32(_FLOOR))
        for one in (made, real)
    )
    x, y, width, height = cv2.boundingRect(np.asarray(inside > 0, np.uint8))
    box = (slice(y, y + height), slice(x, x + width))
    levels = made[box].astype(np.float32) + np.float32(_FLOOR)
    colours = np.log(cv2.GaussianBlur(levels, (0, 0), _SIGMA))
    light = np.log(luma(levels))
    apart = light - np.float32(before @ LUMA)
    brightness = np.interp(apart, *CONTRAST).astype(np.float32) if contrast else apart
    share = float(np.clip((after[0] - after[1]) / _COLOURED, 0, 1))
    changed = levels.copy()
    for channel, least, most in ((0, LEAST_RED, MOST_RED), (2, LEAST_BLUE, MOST_BLUE)):
        own = colours[..., channel] - colours[..., 1] - (before[channel] - before[1])
        lowest, highest = (share * np.interp(brightness, BRIGHTNESS, end) for end in (least, most))
        natural = np.clip(own, lowest, highest) + (after[channel] - after[1])
        changed[..., channel] = levels[..., 1] * np.exp(natural)
    changed *= (np.exp(light + brightness - apart) / luma(changed))[..., None]
    result = made.copy()
    result[box] = np.clip(np.round(changed - _FLOOR), 0, 255)
    return result
