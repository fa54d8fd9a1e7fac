import numpy as np
import pytest

from swaptalk.faces.geometry.align import (
    CROP_SIZE,
    HALF_ROW,
    RIGID_TEMPLATE,
    Alignment,
    crop_face,
    estimate_alignment,
)
from swaptalk.faces.geometry.topology import (
    CHIN,
    LEFT_EYE,
    LIP_BOTTOM,
    LIP_TOP,
    RIGHT_EYE,
    canonical_crop_mesh,
)


def _similarity(scale, angle, x, y):
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return Alignment(np.array([[cos, -sin, x], [sin, cos, y]]))


@pytest.mark.parametrize("transform", [(0.5, 0.3, 20, -7), (2.0, -2.9, 300, 40), (1.0, 0.0, 0, 0)])
def test_recovers_a_similarity(transform):
    truth = _similarity(*transform)
    mesh = np.zeros((468, 2))
    index = list(RIGID_TEMPLATE)
    mesh[index] = truth.to_image(np.array(list(RIGID_TEMPLATE.values())))
    found = estimate_alignment(mesh)
    np.testing.assert_allclose(found.matrix, truth.matrix, atol=1e-3)
    assert found.scale == pytest.approx(transform[0], rel=1e-5)


def test_mapping_there_and_back():
    alignment = _similarity(0.7, 0.4, 12, 30)
    points = np.random.default_rng(0).uniform(0, 500, (20, 2))
    np.testing.assert_allclose(alignment.to_image(alignment.to_crop(points)), points, atol=1e-3)
    depth = np.concatenate([points, np.ones((20, 1))], axis=1)
    np.testing.assert_allclose(alignment.to_crop(depth)[:, 2], 0.7, rtol=1e-6)


def test_layout_of_the_crop():
    mesh = canonical_crop_mesh()
    assert 0.36 < mesh[np.concatenate([LEFT_EYE, RIGHT_EYE]), 1].mean() / CROP_SIZE < 0.40
    assert 0.70 < mesh[[LIP_TOP, LIP_BOTTOM], 1].mean() / CROP_SIZE < 0.80
    assert mesh[np.concatenate([LEFT_EYE, RIGHT_EYE]), 1].max() < HALF_ROW < mesh[LIP_TOP, 1]
    assert 0.9 < mesh[CHIN, 1] / CROP_SIZE < 1.0


def test_speech_does_not_move_the_crop():
    mesh = canonical_crop_mesh().astype(np.float64)
    talking = mesh.copy()
    talking[mesh[:, 1] > 170, 1] += 15
    np.testing.assert_allclose(
        estimate_alignment(talking).matrix, estimate_alignment(mesh).matrix, atol=1e-9
    )


@pytest.mark.parametrize("mesh", [np.zeros((468, 2)), np.full((468, 2), np.nan)])
def test_degenerate_mesh_is_refused(mesh):
    with pytest.raises(ValueError, match="coincide"):
        estimate_alignment(mesh)


@pytest.mark.parametrize("scale", [0.15, 0.4, 0.9, 1.8])
def test_crop_lies_where_the_alignment_says(scale):
    y, x = np.mgrid[:900, :1400].astype(np.float32)
    image = np.stack([x / 1400 * 255, y / 900 * 255, 0 * x], axis=-1).astype(np.uint8)
    alignment = _similarity(scale, 0.2, 128 - 700 * scale, 100 - 420 * scale)
    crop = crop_face(image, alignment)
    points = np.array([[100.0, 120], [180, 60], [128, 128]])
    where = alignment.to_image(points)
    for (column, row), (image_x, image_y) in zip(points.astype(int), where, strict=True):
        if 5 < image_x < 1395 and 5 < image_y < 895:
            expected = [image_x / 1400 * 255, image_y / 900 * 255]
            np.testing.assert_allclose(crop[row, column, :2], expected, atol=1.6)


def test_small_scales_do_not_alias():
    image = np.indices((1200, 1200)).sum(axis=0)[..., None] % 2 * 255
    crop = crop_face(np.repeat(image, 3, axis=2).astype(np.uint8), _similarity(0.2, 0.1, 10, 5))
    assert crop[40:200, 40:200].std() < 20


def test_beyond_the_border_the_picture_is_mirrored():
    crop = crop_face(np.full((50, 50, 3), 200, np.uint8), _similarity(1.0, 0, 0, 0))
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3) and crop.min() == 200
