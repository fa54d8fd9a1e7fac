"""Where two pictures show the same."""

from __future__ import annotations

import cv2
import numpy as np

from swaptalk.faces.editing.agreement import Agreement

COMPARED = Agreement(fine=1.2, coarse=5.0, reach=4.0, least=0.2, full=0.6, flat=2.0)


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 60, (128, 128, 1)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)[..., None] * 4 + 128
    return np.clip(np.repeat(smooth, 3, axis=2), 0, 255).astype(np.uint8)


def test_the_same_structure_agrees_in_any_light_and_other_structure_does_not() -> None:
    one, other = texture(0), texture(1)
    mixed = np.concatenate([one[:, :64], other[:, 64:]], axis=1)
    shaded = np.clip(mixed * 0.9 + np.linspace(0, 60, 128)[:, None, None], 0, 255).astype(np.uint8)
    agreed = COMPARED(one, shaded)
    assert agreed.shape == (128, 128)
    assert agreed[:, :48].mean() > 0.95 and agreed[:, 80:].mean() < 0.3


def test_softer_structure_agrees() -> None:
    one = texture(0)
    assert COMPARED(one, cv2.GaussianBlur(one, (0, 0), 1.5)).mean() > 0.9


def test_flat_places_agree() -> None:
    flat = np.full((64, 64, 3), 120, np.uint8)
    grain = flat + np.random.default_rng(0).integers(0, 3, flat.shape, np.uint8)
    assert COMPARED(flat, grain).min() > 0.9
