"""The model explains faces, and not what lies on them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.face_texture import (
    FaceTextureModel,
    canonical_face,
    expected_face,
    face_grid,
    face_texture_model,
    fit_texture_model,
    mirror_gain,
    read_texture_model,
    texture_of,
    write_texture_model,
)
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mesh_warp import mesh_warp, skin_weight
from swaptalk.faces.editing.turn import turn_face
from swaptalk.faces.geometry.pose import Pose
from swaptalk.faces.geometry.topology import MIRROR

Face = tuple[np.ndarray, np.ndarray]
NOTHING = np.zeros((256, 256), np.float32)


@pytest.fixture(scope="module", params=["astronaut", "hopper"])
def face(request, astronaut_face, hopper_face) -> Face:
    crop, mesh = (astronaut_face if request.param == "astronaut" else hopper_face)[:2]
    return crop, np.asarray(mesh, np.float32)


def with_strand(face: Face) -> tuple[np.ndarray, np.ndarray]:
    """A dark strand from the temple over the cheek, and where it is."""
    crop, mesh = face
    strand = np.zeros(crop.shape[:2], np.uint8)
    line = np.round(mesh[[127, 123, 205], :2] + (4, 0)).astype(np.int32)
    cv2.polylines(strand, [line], False, (255,), 6, cv2.LINE_AA)
    picture = crop * (1 - strand[..., None] / 255) + 35 * (strand[..., None] / 255)
    return picture.astype(np.uint8), strand > 127


@pytest.mark.parametrize("turned", [0, 20])
def test_a_bare_face_is_explained(face: Face, turned: int) -> None:
    crop, mesh = turn_face(*face, Pose(turned, 0, 0)) if turned else face
    fit = face_texture_model().fit(crop, mesh, NOTHING)
    inside = cv2.erode(face_grid().astype(np.uint8), np.ones((9, 9))) > 0
    assert np.median(fit.strangeness[inside]) < 1.6
    seen = canonical_face(crop, mesh)
    apart = np.abs(np.log(luma(fit.expected)) - np.log(luma(seen)))[inside]
    assert np.median(apart) < 0.11  # an old face has folds
    np.testing.assert_array_equal(fit.expected[~face_grid()], seen[~face_grid()])


def test_a_strand_is_strange_and_not_expected(face: Face) -> None:
    crop, mesh = face
    picture, strand = with_strand(face)
    strand &= skin_weight(mesh, 256) > 0
    bare, expected = expected_face(crop, mesh, NOTHING), expected_face(picture, mesh, NOTHING)
    apart = np.abs(luma(expected) - luma(bare))
    assert apart[strand].mean() < 0.15 * np.abs(luma(picture) - luma(bare))[strand].mean()


def test_what_is_covered_does_not_count(face: Face) -> None:
    crop, mesh = face
    covered, picture = NOTHING.copy(), crop.copy()
    covered[:, 140:] = 1
    picture[:, 140:] = np.random.default_rng(0).integers(0, 255, (256, 116, 3))
    expected = expected_face(picture, mesh, covered)
    skin = cv2.erode(skin_weight(mesh, 256), np.ones((9, 9))) > 0
    ratio = np.log(luma(expected)) - np.log(luma(crop))
    assert np.median(np.abs(ratio[skin])) < 0.12


def random_textures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mixtures of three textures of noise, and those three (3, D)."""
    rng = np.random.default_rng(1)
    noise = rng.integers(60, 200, (3, 8, 8, 3)).astype(np.uint8)
    parts = np.stack([texture_of(cv2.resize(one, (128, 128))) for one in noise])
    mixed = rng.normal(size=(count, 3)) @ parts + 0.01 * rng.normal(size=(count, parts.shape[1]))
    return mixed, parts


def test_the_model_is_fitted_in_spite_of_what_covers_faces() -> None:
    textures, _ = random_textures(60)
    known = np.ones(textures.shape, bool)
    clean = fit_texture_model(textures, known, components=3)
    known[:20, :3000] = False
    textures[:20, :3000] = 4
    fitted = fit_texture_model(textures, known, components=3)
    overlap = np.linalg.svd(clean.basis @ fitted.basis.T, compute_uv=False)
    assert overlap.min() > 0.98
    followed = fit_texture_model(textures, np.ones_like(known), components=3)
    assert np.linalg.svd(clean.basis @ followed.basis.T, compute_uv=False).min() < 0.9


def test_too_few_textures_are_refused() -> None:
    with pytest.raises(ValueError, match="3 textures for 3 components"):
        fit_texture_model(np.zeros((3, 9)), np.ones((3, 9), bool), components=3)


def test_a_model_is_read_as_it_was_written(hopper_face) -> None:
    model, file = face_texture_model(), io.BytesIO()
    write_texture_model(model, file)
    file.seek(0)
    again: FaceTextureModel = read_texture_model(file)
    for one, other in zip(vars(model).values(), vars(again).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3 * np.abs(one).max())
    crop, mesh = hopper_face[:2]
    fits = [one.fit(crop, mesh, NOTHING).expected.astype(int) for one in (model, again)]
    assert np.abs(fits[0] - fits[1]).mean() < 1


def test_the_mirror_image_comes_into_the_light_of_its_side(face: Face) -> None:
    """A face lit from one side: mirrored and multiplied, it is lit from that side again."""
    crop, mesh = face
    ramp = np.exp(np.linspace(0.35, -0.35, 256, dtype=np.float32))[None, :, None]
    picture = np.clip(crop * ramp, 0, 255).astype(np.uint8)
    gain = mirror_gain(picture, mesh)
    np.testing.assert_allclose(gain * gain[MIRROR], 1, rtol=1e-4)
    everything = np.ones(len(mesh), np.float32)
    plain = mesh_warp(picture, mesh, mesh, everything)
    lit = mesh_warp(picture, mesh, mesh, everything, mirror_gain=gain)
    skin = cv2.erode(skin_weight(mesh, 256), np.ones((25, 25))) > 0
    skin[: int(mesh[[105, 334], 1].max())] = False
    apart = [np.log(luma(one)) - np.log(luma(picture)) for one in (plain, lit)]
    assert np.abs(apart[1][skin]).mean() < 0.7 * np.abs(apart[0][skin]).mean()
