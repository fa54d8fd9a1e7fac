"""Mouths moved in the picture: what tokens do to the mesh, and a mouth that no reference shows
open."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.geometry.lip_shape import face_shape, openings
from swaptalk.pipeline.render.lip_composer import LipComposer
from swaptalk.pipeline.render.lip_motion import LipMotion

from ..conftest import PoolingNetworks
from .conftest import lip_references, with_opening


def composer(networks: PoolingNetworks, *references: FaceComposite) -> LipComposer:
    return LipComposer(lip_references(networks, *references), LipMotion(networks.motion_scale))


def test_lips_touch_in_silence_and_open_with_the_motion(networks, face: FaceComposite) -> None:
    lips = composer(networks, with_opening(face, 0.2))
    opened = []
    for motion in (0.0, 0.4, 0.8):
        made = lips.compose(face, face.mesh, np.full((5, 1), motion, np.float32))
        opened.append(float(openings(face_shape(made.mesh)).mean()))
        assert not made.mask.any()
    assert opened[0] < 1e-5 < 0.05 < opened[1] < opened[2]


def test_a_swap_is_shown_around_the_lips_but_not_between_them(
    networks, face: FaceComposite
) -> None:
    swapped = FaceComposite(face.picture, np.full((256, 256), 0.8, np.float32), face.mesh)
    lips = composer(networks, with_opening(face, 0.2))
    made = lips.compose(swapped, face.mesh, np.full((5, 1), 0.8, np.float32))
    assert made.mask.max() == pytest.approx(0.8)
    middle = made.mesh[[13, 14], :2].mean(axis=0).round().astype(int)
    assert made.mask[middle[1], middle[0]] < 0.1
