"""A photo takes a target's shading over, and keeps its own face."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.face_texture import face_texture_model
from swaptalk.faces.editing.shading import (
    ShadingModel,
    fit_shading_model,
    measure_texture,
    shaded,
    shading_model,
)

#: Points of the mesh on the forehead and on the cheeks.
FOREHEAD, CHEEKS = [10, 151, 9, 108, 337], [50, 280, 205, 425]


@pytest.fixture
def photo(astronaut_face) -> FacePhoto:
    return FacePhoto(astronaut_face[0], np.asarray(astronaut_face[1], np.float32))


@pytest.fixture
def target(hopper_face) -> FacePhoto:
    return FacePhoto(hopper_face[0], np.asarray(hopper_face[1], np.float32))


def lamp_above(face: FacePhoto) -> np.ndarray:
    """The crop with a bright forehead and dark cheeks."""
    change = np.zeros((468, 3), np.float32)
    height = face.mesh[:, 1]
    top, chin = height[10], height[152]
    change += (0.7 - 1.6 * (height - top) / (chin - top)).astype(np.float32)[:, None]
    return shaded(face.crop, face.mesh, change)


def test_a_face_keeps_its_own_shading(photo: FacePhoto) -> None:
    assert not shading_model().change(photo.texture, [photo.texture]).any()
    np.testing.assert_array_equal(photo.shaded_like([photo.texture]).crop, photo.crop)


def test_light_of_the_target_is_taken_over(photo: FacePhoto, target: FacePhoto) -> None:
    lit = measure_texture(lamp_above(target), target.mesh)
    plain, changed = (
        shading_model().change(photo.texture, [one]).mean(axis=1) for one in (target.texture, lit)
    )
    gained = changed - plain
    assert gained[FOREHEAD].mean() > 0.1 + gained[CHEEKS].mean()
    crop = photo.shaded_like([lit]).crop
    assert crop.shape == photo.crop.shape
    forehead = cv2.fillConvexPoly(
        np.zeros((256, 256), np.uint8),
        cv2.convexHull(np.round(photo.mesh[FOREHEAD, :2]).astype(np.int32)),
        (255,),
    )
    before, after = (
        cv2.mean(one, forehead)[1] for one in (photo.shaded_like([target.texture]).crop, crop)
    )
    assert after > 1.05 * before


def test_several_pictures_of_the_target_are_averaged(photo: FacePhoto, target: FacePhoto) -> None:
    lit = measure_texture(lamp_above(target), target.mesh)
    model = shading_model()
    one, both = (model.change(photo.texture, seen) for seen in ([lit], [lit, photo.texture]))
    assert np.abs(both).mean() < 0.6 * np.abs(one).mean()


def test_who_it_is_stays(photo: FacePhoto) -> None:
    """What tells people apart in the model is changed less than what varies within them."""
    model, variance = shading_model(), face_texture_model().variance
    rng = np.random.default_rng(0)
    usual = rng.normal(size=(64, len(variance))).astype(np.float32) * np.sqrt(variance)
    taken = usual @ model.shading.T
    share = float((taken * usual).sum() / (usual**2).sum())
    assert 0.5 < share < 0.95


def test_a_large_picture_gets_the_same_shading(photo: FacePhoto, target: FacePhoto) -> None:
    fine = cv2.resize(photo.crop, (512, 512), interpolation=cv2.INTER_CUBIC)
    made = replace(photo, fine=np.asarray(fine, np.uint8), covered=photo.crop).shaded_like(
        [measure_texture(lamp_above(target), target.mesh)]
    )
    assert made.fine is not None and made.as_photographed is photo.crop
    small = cv2.resize(made.fine, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - made.crop).mean() < 3


def test_the_fit_separates_light_from_people() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(80), 4)
    components = np.stack(
        [
            rng.normal(size=80)[people],  # who it is
            rng.normal(size=320),  # the light
            rng.normal(size=80)[people] + rng.normal(size=320),
        ],
        axis=1,
    )
    levels = rng.normal(size=(320, 3))
    components[:, 0] += 2 * levels[:, 1]  # dark skin shines
    model = fit_shading_model(components, levels, people)
    assert isinstance(model, ShadingModel)
    np.testing.assert_allclose(np.diag(model.shading), [0, 1, 0.5], atol=0.12)
    np.testing.assert_allclose(model.level[0], [0, 2, 0], atol=0.25)


def test_a_fit_needs_people_with_several_photos() -> None:
    components, levels = np.zeros((20, 4)), np.zeros((20, 3))
    with pytest.raises(ValueError, match="nobody has two"):
        fit_shading_model(components, levels, np.arange(20))
    with pytest.raises(ValueError, match="3 photos are too few"):
        fit_shading_model(components[:3], levels[:3], np.zeros(3, np.intp))
