"""Mouths moved in the picture: what tokens do to the mesh, and a mouth that no reference shows
open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.lip_shape import face_shape, lip_shape_model, openings
from swaptalk.media.image import read_image
from swaptalk.pipeline.render.lip_composer import HEARD, SEEN, LipComposer

from ..conftest import PoolingNetworks

MODEL = lip_shape_model()


@pytest.fixture
def face(analyser, other_photo: Path) -> FaceComposite:
    image = read_image(other_photo)
    landmarks = analyser.tracker().update(image).faces[0].landmarks
    alignment = estimate_alignment(landmarks.xy)
    mesh = alignment.to_crop(landmarks.points)
    return FaceComposite(crop_face(image, alignment), np.zeros((256, 256), np.float32), mesh)


def with_opening(face: FaceComposite, opening: float) -> FaceComposite:
    mesh = MODEL.move(face.mesh, MODEL.neutral(face_shape(face.mesh)), MODEL.opened(opening))
    return FaceComposite(face.picture, face.mask, mesh)


def composer(networks: PoolingNetworks, *references: FaceComposite) -> LipComposer:
    return LipComposer(
        networks,
        lambda: dict(enumerate(references)),
        lambda faces: networks.encode(np.stack([one.picture for one in faces])),
        references[0].mesh,
    )


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


def test_where_all_mouths_are_closed_the_network_opens_one(networks, face: FaceComposite) -> None:
    closed, opened = (with_opening(face, opening) for opening in (0.0, 0.2))
    assert [one.real for one in composer(networks, closed).references] == [True, False]
    assert [one.real for one in composer(networks, closed, opened).references] == [True, True]


def test_small_openings_are_heard_as_closing_lips() -> None:
    heard = np.linspace(0, 0.2, 201)
    seen = np.interp(heard, HEARD, SEEN)
    assert (np.diff(seen) > 0).all() and (seen <= heard + 1e-12).all()
    np.testing.assert_allclose(seen[heard >= 0.07], heard[heard >= 0.07])
