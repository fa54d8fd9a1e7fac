"""Glasses are told by their bridge: drawn on a photograph of a woman without."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.eyewear import GLASSES_STRENGTH, eyewear_strength
from swaptalk.faces.geometry.topology import LEFT_EYE, RIGHT_EYE


@pytest.fixture
def glasses(astronaut_face) -> np.ndarray:
    """The astronaut's crop with round dark rims."""
    drawn = astronaut_face[0].copy()
    right, left = (
        np.round(astronaut_face[1][eye, :2].mean(axis=0)).astype(int)
        for eye in (RIGHT_EYE, LEFT_EYE)
    )
    radius = int(0.36 * np.linalg.norm(left - right))
    for centre in (right, left):
        cv2.circle(drawn, centre.tolist(), radius, (20, 20, 20), 4, cv2.LINE_AA)
    cv2.line(
        drawn,
        (right + (radius, 0)).tolist(),
        (left - (radius, 0)).tolist(),
        (20, 20, 20),
        4,
        cv2.LINE_AA,
    )
    return drawn


def test_rims_are_seen(astronaut_face, glasses) -> None:
    crop, mesh, _ = astronaut_face
    assert eyewear_strength(glasses, mesh) > 1.5 * GLASSES_STRENGTH
    assert eyewear_strength(crop, mesh) < GLASSES_STRENGTH / 2


def test_neither_light_nor_size_matters(astronaut_face, glasses) -> None:
    mesh = astronaut_face[1]
    strength = eyewear_strength(glasses, mesh)
    assert eyewear_strength((glasses * 0.5).astype(np.uint8), mesh) == pytest.approx(
        strength, rel=0.3
    )
    larger = cv2.resize(glasses, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LINEAR)
    assert eyewear_strength(larger, 1.5 * mesh) == pytest.approx(strength, rel=0.3)
