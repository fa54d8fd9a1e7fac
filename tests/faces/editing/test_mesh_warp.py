import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.mesh_warp import (
    bare_skin,
    dense_map,
    mesh_warp,
    mesh_warp_swap,
    source_quality,
    transfer_light,
    visibility,
    warp_quality,
)
from swaptalk.faces.geometry.pose import Pose, rotate_mesh
from swaptalk.faces.geometry.raster import grid_cells, rasterise
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import (
    CANONICAL_MESH,
    FACE_OVAL,
    INNER_LIPS,
    border_points,
    canonical_crop_mesh,
    crop_triangles,
)


@pytest.fixture(scope="module")
def flat():
    return canonical_crop_mesh()


def _canonical_turned(pose):
    """Canonical mesh (468, 3) in crop pixels, turned."""
    return rotate_mesh(CANONICAL_MESH * 65.2 + [128, 95, 0], pose)


def test_rasterise_reproduces_positions(flat):
    points = np.concatenate([flat, border_points()])
    sample, owner, weights = rasterise(points, crop_triangles(), 256, 4)
    cells = grid_cells(256, 4)
    where = np.einsum("kv,kvd->kd", weights, points[crop_triangles()[owner]])
    grid = np.stack([sample % cells, sample // cells], axis=1) * 4
    np.testing.assert_allclose(where, grid, atol=0.05)
    assert len(np.unique(sample)) == cells**2


def test_rasterise_nearest_triangle_comes_last():
    points = np.array([[0, 0], [40, 0], [0, 40], [0, 0], [40, 0], [0, 40]], np.float32)
    depth = np.array([0, 0, 0, 9, 9, 9])
    sample, owner, _ = rasterise(points, np.array([[0, 1, 2], [3, 4, 5]], np.int32), 64, 4, depth)
    last = {s: o for s, o in zip(sample.tolist(), owner.tolist(), strict=True)}
    assert set(last.values()) == {0}


def test_equal_meshes_give_the_identity(flat):
    grid = np.stack(np.meshgrid(np.arange(256), np.arange(256)), axis=-1)
    np.testing.assert_allclose(dense_map(flat, flat), grid, atol=1e-2)


def test_map_takes_target_points_to_source_points(flat):
    source = flat + np.random.default_rng(0).normal(0, 0.4, flat.shape).astype(np.float32)
    source[:, 0] += 6
    field = dense_map(source, flat, step=1)
    inside = ((flat > 2) & (flat < 253)).all(axis=1)
    x, y = np.ascontiguousarray(flat[inside].T[:, :, None])
    found = cv2.remap(field, x, y, cv2.INTER_LINEAR).reshape(-1, 2)
    assert np.percentile(np.linalg.norm(found - source[inside], axis=1), 95) < 0.5


def test_coarse_map_agrees_with_the_exact_one(astronaut_face, hopper_face):
    exact, coarse = (dense_map(hopper_face[1], astronaut_face[1], step=s) for s in (1, 2))
    assert np.percentile(np.linalg.norm(exact - coarse, axis=-1), 99) < 1.0


def test_warp_moves_the_landmarks(astronaut_face, hopper_face, mesh):
    crop, points, _ = hopper_face
    target = astronaut_face[1]
    warped = mesh_warp(crop, points, target)
    found = mesh(warped, CropRegion.around_points(target[:, :2]))
    before = np.linalg.norm(points[:, :2] - target[:, :2], axis=1).mean()
    after = np.linalg.norm(found.xy - target[:, :2], axis=1).mean()
    assert found.presence > 0.9
    assert after < 0.7 * before


def test_swap_keeps_surroundings_and_mouth_and_changes_the_face(astronaut_face, hopper_face):
    target, target_mesh, _ = astronaut_face
    result = mesh_warp_swap(hopper_face[0], hopper_face[1], target, target_mesh)
    oval = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(oval, [np.round(target_mesh[FACE_OVAL, :2]).astype(int)], 1)
    outside = cv2.dilate(oval, np.ones((17, 17))) == 0  # masks are drawn on a grid of 4 px
    np.testing.assert_array_equal(result[outside], target[outside])
    changed = np.abs(result.astype(int) - target)[cv2.erode(oval, np.ones((41, 41))) > 0].mean()
    assert changed > 4
    mouth = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(mouth, [np.round(target_mesh[INNER_LIPS, :2]).astype(int)], 1)
    core = cv2.erode(mouth, np.ones((7, 7))) > 0
    if core.any():
        assert np.abs(result.astype(int) - target)[core].mean() < 3


def test_swap_takes_the_target_light(astronaut_face, hopper_face):
    target, target_mesh, _ = astronaut_face
    dark = (target * 0.5).astype(np.uint8)
    bright, dim = (
        mesh_warp_swap(hopper_face[0], hopper_face[1], t, target_mesh)[110:150, 100:156].mean()
        for t in (target, dark)
    )
    assert 0.42 < dim / bright < 0.58


def test_black_stays_black():
    rng = np.random.default_rng(0)
    source = rng.integers(60, 200, (256, 256, 3)).astype(np.uint8)
    source[:64] = 0
    skin = np.ones((256, 256), np.float32)
    lit = transfer_light(source, np.full((256, 256, 3), (220, 180, 150), np.uint8), skin)
    assert lit[:60].max() == 0


def test_a_shiny_dark_face_does_not_burn_out_on_a_pale_one():
    rows, columns = np.mgrid[:256, :256]
    shine = np.exp(-(((rows - 150) / 30) ** 2) - (((columns % 64) - 32) / 14) ** 2)[..., None]
    dark = (np.array([70, 50, 40]) * (1 + 0.8 * shine)).astype(np.uint8)
    pale = (np.array([200, 170, 150]) * (1 + 0.15 * shine)).astype(np.uint8)
    skin = np.ones((256, 256), np.float32)
    on_pale, on_dark = transfer_light(dark, pale, skin), transfer_light(pale, dark, skin)
    # With the gain alone it would be 255, as dark skin's highlights are 1.8 times its middle.
    assert on_pale[..., 0].max() < 250
    np.testing.assert_allclose(
        np.median(on_pale, axis=(0, 1)), np.median(pale, axis=(0, 1)), rtol=0.1
    )
    relief = np.log(on_dark[..., 0] / np.median(on_dark[..., 0]))
    assert relief.max() > 1.5 * np.log(1.15), (
        "a matte face shines a little more where the target shines"
    )


def test_visibility_falls_on_the_far_side_of_a_turned_head():
    seen = visibility(
        _canonical_turned(Pose(40, 0, 0))
    )  # the nose points to the right: the right cheek hides
    right, left = 352, 123
    assert CANONICAL_MESH[right, 0] > 0 > CANONICAL_MESH[left, 0]
    assert seen[right] < 0.4 < seen[left]
    np.testing.assert_allclose(visibility(_canonical_turned(Pose(0, 0, 0))), 1, atol=0.1)


def test_quality_falls_with_the_difference_of_pose():
    target = _canonical_turned(Pose(0, 0, 0))
    scores = [warp_quality(_canonical_turned(Pose(yaw, 0, 0)), target) for yaw in (0, 20, 40, 60)]
    assert scores[0] > 0.99
    assert scores == sorted(scores, reverse=True) and scores[-1] < 0.7


def test_turned_source_has_no_background_on_the_cheek():
    """What the source hides comes from its other side: a green background must not reach the
    face."""
    source = _canonical_turned(Pose(55, 0, 0))
    crop = np.zeros((256, 256, 3), np.uint8)
    crop[..., 1] = 255
    cv2.fillConvexPoly(
        crop, cv2.convexHull(np.round(source[:, :2]).astype(np.int32)), (200, 120, 100)
    )
    target = _canonical_turned(Pose(0, 0, 0))
    warped = mesh_warp(crop, source, target)
    mask = np.zeros((256, 256), np.uint8)
    cv2.fillPoly(mask, [np.round(target[FACE_OVAL, :2]).astype(int)], 1)
    face = warped[cv2.erode(mask, np.ones((25, 25))) > 0]
    assert (face[:, 1] > 200).mean() < 0.02


def test_hair_across_the_forehead_is_neither_taken_over_nor_covered(astronaut_face, hopper_face):
    (crop, mesh, _), (other, others, _) = astronaut_face, hopper_face
    fringed = crop.copy()
    left, top = mesh[10, :2].astype(int) - (40, 10)
    fringed[top : int(mesh[9, 1]) - 12, left : left + 80] = (20, 15, 10)
    forehead = tuple(np.round((mesh[151, :2] + mesh[9, :2]) / 2).astype(int)[::-1])
    assert bare_skin(crop, mesh)[forehead] > 0.9 > 0.3 > bare_skin(fringed, mesh)[forehead]
    np.testing.assert_array_equal(bare_skin(fringed, mesh)[int(mesh[2, 1]) :], 1)
    assert source_quality(fringed, mesh) < 0.8 * source_quality(crop, mesh)
    kept = mesh_warp_swap(other, others, fringed, mesh)[forehead]
    assert np.abs(kept.astype(int) - fringed[forehead]).max() < 25
