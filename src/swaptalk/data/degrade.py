"""Vary light and quality of training pictures, as photos of users vary."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Spreads (standard deviations) of log gamma, log gain, gain of a channel, log contrast, and log
#: gain across the face.
GAMMA, GAIN, CHANNEL, CONTRAST, SIDE = 0.15, 0.12, 0.05, 0.12, 0.2

#: Brightness from which highlights are compressed, as cameras do, rather than clipped.
KNEE = 0.85


def relight(
    picture: NDArray[np.uint8], rng: np.random.Generator, strength: float = 1.0
) -> NDArray[np.uint8]:
    """Change gamma, exposure, white balance, contrast, and light from one side.

    Args:
        picture: (S, S, 3) uint8 RGB.
        rng: draws the change.
        strength: 1 for the whole spread of each.
    """
    light = (picture.astype(np.float32) / 255) ** float(np.exp(rng.normal(0, GAMMA * strength)))
    colour = 1 + rng.normal(0, CHANNEL * strength, 3).astype(np.float32)
    light = light * colour * float(np.exp(rng.normal(0, GAIN * strength)))
    middle = light.mean()
    light = middle + (light - middle) * float(np.exp(rng.normal(0, CONTRAST * strength)))
    angle, slope = rng.uniform(0, 2 * np.pi), float(rng.normal(0, SIDE * strength))
    across = np.linspace(-1, 1, len(picture), dtype=np.float32)
    ramp = np.float32(np.cos(angle)) * across[None] + np.float32(np.sin(angle)) * across[:, None]
    light = light * np.exp(slope * ramp)[..., None]
    light = np.where(light > KNEE, KNEE + (1 - KNEE) * np.tanh((light - KNEE) / (1 - KNEE)), light)
    return np.asarray(np.clip(light * 255 + 0.5, 0, 255), np.uint8)


def degrade(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Lower a picture's resolution, add noise, compress it: each with a chance of a half.

    Args:
        picture: (S, S, 3) uint8 RGB.
        rng: draws what happens, and how strongly.
    """
    size = picture.shape[1::-1]
    if rng.random() < 0.5:
        smaller = float(rng.uniform(0.35, 0.8))
        side = [max(16, round(smaller * length)) for length in size]
        small = cv2.resize(picture, side, interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    if rng.random() < 0.5:
        noise = rng.normal(0, rng.uniform(1, 5), picture.shape)
        picture = np.asarray(np.clip(picture + noise + 0.5, 0, 255), np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(35, 90))
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return picture
