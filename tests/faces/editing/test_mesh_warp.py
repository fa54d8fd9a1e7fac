import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.face_composite import composite_face
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.mesh_warp import (
    bare_skin,
    dense_map,
    mesh_warp,
    source_quality,
    visibility,
    warp_quality,
)
from swaptalk.faces.geometry.box import Box
from swaptalk.faces.geometry.pose import Pose, rotate_mesh
from swaptalk.faces.geometry.raster import grid_cells, rasterise
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import (
    CANONICAL_MESH,
    FACE_OVAL,
    MIRROR,
    border_points,
    canonical_crop_mesh,
    crop_triangles,
    face_triangles,
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
    grid = np.stack(np.meshgrid(np.arange(256), np.arange(256)))
    np.testing.assert_allclose(dense_map(flat, flat), grid, atol=1e-2)


def test_map_takes_target_points_to_source_points(flat):
    source = flat + np.random.default_rng(0).normal(0, 0.4, flat.shape).astype(np.float32)
    source[:, 0] += 6
    field = dense_map(source, flat, step=1)
    inside = ((flat > 2) & (flat < 253)).all(axis=1)
    x, y = np.ascontiguousarray(flat[inside].T[:, :, None])
    found = cv2.remap(cv2.merge([*field]), x, y, cv2.INTER_LINEAR).reshape(-1, 2)
    assert np.percentile(np.linalg.norm(found - source[inside], axis=1), 95) < 0.5


def test_coarse_map_agrees_with_the_exact_one(astronaut_face, hopper_face):
    exact, coarse = (dense_map(hopper_face[1], astronaut_face[1], step=s) for s in (1, 2))
    assert np.percentile(np.linalg.norm(exact - coarse, axis=0), 99) < 1.0


def test_warp_moves_the_landmarks(astronaut_face, hopper_face, mesh):
    crop, points, _ = hopper_face
    target = astronaut_face[1]
    warped = mesh_warp(crop, points, target)
    found = mesh(warped, CropRegion.around_points(target[:, :2]))
    before = np.linalg.norm(points[:, :2] - target[:, :2], axis=1).mean()
    after = np.linalg.norm(found.xy - target[:, :2], axis=1).mean()
    assert found.presence > 0.9
    assert after < 0.7 * before


def test_a_part_is_the_same_part_of_the_whole(astronaut_face, hopper_face):
    (crop, points, _), target = hopper_face, astronaut_face[1]
    gain = np.linspace(0.5, 1.5, 3 * len(target)).reshape(-1, 3).astype(np.float32)
    hidden = np.linspace(0, 1, len(target)).astype(np.float32)
    box = Box.around(target, 5, 256)
    whole, part = (mesh_warp(crop, points, target, hidden, gain, box=one) for one in (None, box))
    assert part.shape == (box.bottom - box.top, box.right - box.left, 3) != whole.shape
    np.testing.assert_array_equal(part, whole[box.slices])


def test_visibility_falls_on_the_far_side_of_a_turned_head():
    # The nose points to the right: the right cheek hides.
    seen = visibility(_canonical_turned(Pose(40, 0, 0)))
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


def test_a_turned_nose_leaves_no_strip_of_its_far_side_along_its_ridge():
    """The far side of the nose, of which a turned head shows an edge, is green."""
    source, target = (_canonical_turned(Pose(yaw, 0, 0)) for yaw in (45, 0))
    ridge = [6, 197, 195, 5]
    assert (MIRROR[ridge] == ridge).all()
    crop = np.full((256, 256, 3), (200, 120, 100), np.uint8)
    shown = np.zeros((256, 256), np.uint8)
    for triangle in face_triangles():
        others = [point for point in triangle if MIRROR[point] != point]
        if set(triangle) & set(ridge) and others and CANONICAL_MESH[others, 0].min() > 0:
            cv2.fillConvexPoly(crop, np.round(source[triangle, :2]).astype(np.int32), (0, 255, 0))
            cv2.fillConvexPoly(shown, np.round(target[triangle, :2]).astype(np.int32), (1,))
    warped = mesh_warp(crop, source, target)
    far = cv2.erode(shown, np.ones((3, 3), np.uint8)) > 0
    assert far.sum() > 100
    assert (warped[far][:, 1] > 190).mean() < 0.1


def test_hair_across_the_forehead_is_neither_taken_over_nor_covered(astronaut_face, hopper_face):
    (crop, mesh, _), (other, others, _) = astronaut_face, hopper_face
    fringed = crop.copy()
    left, top = mesh[10, :2].astype(int) - (40, 10)
    fringed[top : int(mesh[9, 1]) - 12, left : left + 80] = (20, 15, 10)
    forehead = tuple(np.round((mesh[151, :2] + mesh[9, :2]) / 2).astype(int)[::-1])
    assert bare_skin(crop, mesh)[forehead] > 0.9 > 0.3 > bare_skin(fringed, mesh)[forehead]
    np.testing.assert_array_equal(bare_skin(fringed, mesh)[int(mesh[2, 1]) :], 1)
    assert source_quality(fringed, mesh) < 0.8 * source_quality(crop, mesh)
    kept = composite_face([FacePhoto(other, others)], fringed, mesh).picture[forehead]
    assert np.abs(kept.astype(int) - fringed[forehead]).max() < 25
