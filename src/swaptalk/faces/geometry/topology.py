"""The face mesh's canonical shape, its symmetry, its rings of points and its triangles."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE, estimate_alignment

#: Points of the mesh (MediaPipe Face Mesh numbering).
POINT_COUNT = 468
#: Right halves of the lips' and the eye's contours, from the subject's right to the middle line;
#: the left halves are their mirror images.
_INNER_LIP_TOP, _INNER_LIP_BOTTOM = (78, 191, 80, 81, 82, 13), (95, 88, 178, 87, 14)
_OUTER_LIP_TOP, _OUTER_LIP_BOTTOM = (61, 185, 40, 39, 37, 0), (146, 91, 181, 84, 17)
_RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
#: Ring around the right cheek between cheekbone, nose and mouth.
_RIGHT_CHEEK = (117, 118, 101, 36, 205, 187, 123)
#: Upper and lower inner lip in the middle, and the inner corners: they measure how far the mouth is
#: open.
LIP_TOP, LIP_BOTTOM, LIP_RIGHT, LIP_LEFT = 13, 14, 78, 308
#: Lowest point of the chin.
CHIN = 152
#: Fixed points of a dense warp lie on this frame around the crop, as a share of its side: outside,
#: because the chin of an open mouth passes the crop's lower edge.
BORDER_MARGIN = 0.25
_BORDER_PER_SIDE = 4


def _load_canonical() -> NDArray[np.float64]:
    with (
        resources.files("swaptalk.faces.geometry").joinpath("canonical_mesh.npy").open("rb") as file
    ):
        return np.asarray(np.load(file, allow_pickle=False), np.float64)


#: Mean shape (468, 3) of the mesh over photographs with open eyes and mouth (generalised
#: Procrustes, made symmetric): outer eye corners at x = -1 and 1, x to the subject's left, y down,
#: z away from the camera.
CANONICAL_MESH: NDArray[np.float64] = _load_canonical()


def _mirror_index() -> NDArray[np.intp]:
    mirrored = CANONICAL_MESH * np.array([-1.0, 1.0, 1.0])
    # |m - c|^2 is least where m c - |c|^2 / 2 is largest.
    nearness = mirrored @ CANONICAL_MESH.T - 0.5 * (CANONICAL_MESH**2).sum(axis=1)
    return np.asarray(nearness.argmax(axis=1), np.intp)


#: MIRROR[i] is the point that point i becomes when the face is seen in a mirror (468,).
MIRROR: NDArray[np.intp] = _mirror_index()


def _lip_ring(top: tuple[int, ...], bottom: tuple[int, ...]) -> NDArray[np.intp]:
    upper = list(top) + [int(MIRROR[i]) for i in reversed(top[:-1])]
    lower = [int(MIRROR[i]) for i in bottom] + list(reversed(bottom[:-1]))
    return np.array(upper + lower, np.intp)


#: Closed rings of points in order around the region.
INNER_LIPS = _lip_ring(_INNER_LIP_TOP, _INNER_LIP_BOTTOM)
OUTER_LIPS = _lip_ring(_OUTER_LIP_TOP, _OUTER_LIP_BOTTOM)
#: All points of the lips (40,): the outer ring, then the inner one.
LIPS: NDArray[np.intp] = np.concatenate([OUTER_LIPS, INNER_LIPS])
RIGHT_EYE = np.array(_RIGHT_EYE, np.intp)
LEFT_EYE = MIRROR[RIGHT_EYE]
#: The contours of both lids, right eye first: outer corner, upper lid, inner corner, lower lid.
EYE_RINGS = (RIGHT_EYE, LEFT_EYE)
#: Points of the brows.
RIGHT_BROW = np.array([70, 63, 105, 66, 107, 55, 65, 52, 53, 46], np.intp)
LEFT_BROW = MIRROR[RIGHT_BROW]
#: The two rings of skin around each eye's lids, point by point beside the ring's.
_AROUND_RIGHT_EYE = (
    (130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25),
    (226, 113, 225, 224, 223, 222, 221, 189, 244, 233, 232, 231, 230, 229, 228, 31),
)
AROUND_EYES = tuple(
    (np.array(ring, np.intp), MIRROR[np.array(ring, np.intp)]) for ring in _AROUND_RIGHT_EYE
)
#: Points that measure an eye beyond the mesh: its ring, the iris's middle and four of its edge.
IRIS_POINTS = 5
EYE_POINTS = len(_RIGHT_EYE) + IRIS_POINTS
#: Heights in the canonical mesh: middle of the forehead, upper edge of the brows, cheekbones; and
#: where the temples begin on either side.
_MIDDLE_FOREHEAD, _BROWS, _CHEEKBONES, _TEMPLES = -0.8, -0.55, 0.6, 1.15
#: Ridge, tip and wings of the nose.
NOSE = np.array([168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 327, 64, 294, 129, 358], np.intp)
#: Upper and lower lid of each eye at the pupil: (upper, lower, outer corner, inner corner).
RIGHT_LIDS = (159, 145, 33, 133)
LEFT_LIDS = (386, 374, 263, 362)


def _face_oval() -> NDArray[np.intp]:
    hull = cv2.convexHull(CANONICAL_MESH[:, :2].astype(np.float32), returnPoints=False)
    return np.asarray(hull.ravel(), np.intp)


#: Outline of the face from the hairline over the jaw: the convex hull of the frontal shape, in
#: order.
FACE_OVAL = _face_oval()

#: Both cheeks between cheekbone, nose and mouth, each a convex ring: skin in nearly every picture.
CHEEKS = tuple(np.array(ring, np.intp) for ring in (_RIGHT_CHEEK, MIRROR[list(_RIGHT_CHEEK)]))
#: Points from the middle of the forehead down: above is where hair begins, and hats.
BELOW_HAIRLINE: NDArray[np.intp] = np.flatnonzero(CANONICAL_MESH[:, 1] > _MIDDLE_FOREHEAD)
#: The lower face, and brows, eyes and nose without the temples: where darker things belong to the
#: face.
LOWER_FACE: NDArray[np.intp] = np.flatnonzero(CANONICAL_MESH[:, 1] > _CHEEKBONES)
MIDDLE_FACE: NDArray[np.intp] = np.flatnonzero(
    (CANONICAL_MESH[:, 1] > _BROWS) & (np.abs(CANONICAL_MESH[:, 0]) < _TEMPLES)
)


def canonical_crop_mesh() -> NDArray[np.float32]:
    """The canonical mesh (468, 2) as it lies in the aligned crop, in pixels."""
    return estimate_alignment(CANONICAL_MESH[:, :2]).to_crop(CANONICAL_MESH[:, :2])


@lru_cache(maxsize=4)
def border_points(size: int = CROP_SIZE) -> NDArray[np.float32]:
    """Fixed points (16, 2) on a square frame around a crop of ``size`` pixels."""
    low, high = -BORDER_MARGIN * size, (1 + BORDER_MARGIN) * size
    run = np.linspace(low, high, _BORDER_PER_SIDE + 1, dtype=np.float32)[:-1]
    back = low + high - run
    constant_low, constant_high = np.full_like(run, low), np.full_like(run, high)
    points = np.concatenate(
        [
            np.stack([run, constant_low], axis=1),
            np.stack([constant_high, run], axis=1),
            np.stack([back, constant_high], axis=1),
            np.stack([constant_low, back], axis=1),
        ]
    )
    points.flags.writeable = False
    return points


def delaunay(points: NDArray[np.float32]) -> NDArray[np.int32]:
    """Delaunay triangles (T, 3) of points (N, 2), as indices, all turning the same way."""
    low, high = points.min(axis=0) - 1, points.max(axis=0) + 2
    subdivision = cv2.Subdiv2D(
        (int(low[0]), int(low[1]), int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
    )
    subdivision.insert([(float(x), float(y)) for x, y in points])
    corners = np.asarray(subdivision.getTriangleList(), np.float32).reshape(-1, 2)
    index = {
        tuple(point): number for number, point in enumerate(np.asarray(points, np.float32).tolist())
    }
    triangles = np.array(
        [index.get(tuple(corner), -1) for corner in corners.tolist()], np.intp
    ).reshape(-1, 3)
    # The helper triangle's far corners are no points.
    triangles = triangles[(triangles >= 0).all(axis=1)]
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles = np.where((area < 0)[:, None], triangles[:, ::-1], triangles)
    return np.asarray(triangles[area != 0], np.int32)


@lru_cache(maxsize=1)
def crop_triangles() -> NDArray[np.int32]:
    """Triangles (T, 3) over the 468 mesh points followed by the 16 ``border_points`` of the
    crop.
    """
    return delaunay(np.concatenate([canonical_crop_mesh(), border_points()]))


@lru_cache(maxsize=1)
def face_triangles() -> NDArray[np.int32]:
    """Those of `crop_triangles` (T, 3) that lie between points of the mesh."""
    triangles = crop_triangles()
    return triangles[(triangles < POINT_COUNT).all(axis=1)]


def mouth_openness(points: NDArray[np.floating]) -> float:
    """Distance of the inner lips divided by the mouth's width for a mesh (468, 2 or 3); about 0
    when closed.
    """
    width = float(np.linalg.norm(points[LIP_LEFT] - points[LIP_RIGHT]))
    return float(np.linalg.norm(points[LIP_BOTTOM] - points[LIP_TOP])) / max(width, 1e-6)


def eye_openness(points: NDArray[np.floating]) -> float:
    """Mean lid distance of both eyes divided by the eye's width for a mesh (468, 2 or 3); below
    about 0.15 closed.
    """
    ratios = [
        float(np.linalg.norm(points[low] - points[up]))
        / max(float(np.linalg.norm(points[a] - points[b])), 1e-6)
        for up, low, a, b in (RIGHT_LIDS, LEFT_LIDS)
    ]
    return sum(ratios) / 2
