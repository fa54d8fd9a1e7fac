import numpy as np

from swaptalk.faces.geometry import topology
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import (
    CANONICAL_MESH,
    FACE_OVAL,
    INNER_LIPS,
    MIRROR,
    OUTER_LIPS,
    border_points,
    canonical_crop_mesh,
    crop_triangles,
    delaunay,
    eye_openness,
    mouth_openness,
)


def _area(polygon):
    x, y = polygon.T
    return 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))


def test_canonical_mesh_is_symmetric():
    assert CANONICAL_MESH.shape == (468, 3)
    assert (MIRROR[MIRROR] == np.arange(468)).all()
    np.testing.assert_allclose(CANONICAL_MESH[MIRROR] * [-1, 1, 1], CANONICAL_MESH, atol=1e-3)


def test_mirror_pairs_known_points():
    assert [MIRROR[i] for i in (33, 133, 61, 78, 234)] == [263, 362, 291, 308, 454]
    assert [MIRROR[i] for i in (1, 13, 14, 152, 168)] == [1, 13, 14, 152, 168]


def test_triangles_cover_the_crop_without_overlap():
    points = np.concatenate([canonical_crop_mesh(), border_points()])
    triangles = crop_triangles()
    areas = np.array([_area(points[t]) for t in triangles])
    assert (areas > 0).all()
    frame = 1 + 2 * topology.BORDER_MARGIN
    assert abs(areas.sum() / (CROP_SIZE * frame) ** 2 - 1) < 1e-3
    assert set(triangles.ravel()) == set(range(len(points)))


def test_delaunay_of_a_square_has_two_triangles():
    square = np.array([[0, 0], [10, 0.5], [10, 10], [0, 9.5]], np.float32)
    triangles = delaunay(square)
    assert len(triangles) == 2
    assert abs(sum(_area(square[t]) for t in triangles) - _area(square)) < 1e-3


def test_rings_are_simple_and_nested():
    points = canonical_crop_mesh()
    outer, inner, face = (abs(_area(points[r])) for r in (OUTER_LIPS, INNER_LIPS, FACE_OVAL))
    assert inner < outer < face / 8
    assert (
        len(set(OUTER_LIPS)) == len(OUTER_LIPS) == 20
        and len(set(INNER_LIPS)) == len(INNER_LIPS) == 20
    )


def test_openness_measures_lips_and_lids():
    open_face = CANONICAL_MESH.copy()
    closed = open_face.copy()
    closed[14] = closed[13]
    closed[[145, 374]] = closed[[159, 386]]
    assert mouth_openness(closed) == 0 and eye_openness(closed) == 0
    assert mouth_openness(open_face) > 0.3 and 0.2 < eye_openness(open_face) < 0.6
