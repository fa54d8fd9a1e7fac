import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.mask import face_mask, inner_fade, mouth_mask, mouth_region
from swaptalk.faces.geometry.align import HALF_ROW
from swaptalk.faces.geometry.pose import Pose, rotate_mesh
from swaptalk.faces.geometry.topology import (
    CANONICAL_MESH,
    INNER_LIPS,
    LEFT_EYE,
    OUTER_LIPS,
    RIGHT_EYE,
)


def _mesh(pose=(0, 0, 0)):
    return rotate_mesh(CANONICAL_MESH * 65.2 + [128, 95, 0], Pose(*pose))


def _at(mask, points):
    x, y = np.clip(np.round(points[:, :2]).astype(int), 0, 255).T
    return mask[y, x]


@pytest.mark.parametrize("pose", [(0, 0, 0), (35, 0, 0), (-35, 10, 0), (0, -12, 8)])
def test_face_mask_covers_the_features_and_ends_at_the_outline(pose):
    mesh = _mesh(pose)
    mask = face_mask(mesh)
    assert mask.shape == (256, 256) and mask.dtype == np.float32
    assert mask.min() == 0 and 0.999 < mask.max() <= 1
    for ring in (OUTER_LIPS, INNER_LIPS):
        assert _at(mask, mesh[ring]).min() > 0.5
    assert _at(mask, mesh[np.concatenate([LEFT_EYE, RIGHT_EYE])]).mean() > 0.6
    outline = cv2.convexHull(mesh[:, :2].astype(np.float32)).reshape(-1, 2)
    assert _at(mask, outline).max() < 0.2


@pytest.mark.parametrize("function", [face_mask, mouth_mask])
def test_crop_border_never_shows(function):
    mesh = _mesh() + [0, 25, 0]  # the chin lies below the crop
    mask = function(mesh)
    for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
        assert edge.max() == 0


def test_chin_at_the_edge_does_not_widen_the_mask():
    high, low = (inner_fade(_mesh() + [0, shift, 0], 9.0) for shift in (-8, 8))
    np.testing.assert_allclose(high[100:200], low[116:216], atol=0.02)
    assert (low[250] > 0.01).sum() < 120


def test_masks_are_soft():
    for function in (face_mask, mouth_mask):
        mask = function(_mesh())
        assert (
            np.abs(np.diff(mask, axis=0)).max() < 0.15
            and np.abs(np.diff(mask, axis=1)).max() < 0.15
        )


def test_mouth_mask_covers_the_lower_face_only():
    mesh = _mesh()
    mask = mouth_mask(mesh)
    assert mask[:HALF_ROW].max() == 0
    assert _at(mask, mesh[OUTER_LIPS]).min() > 0.95
    # The chin's front; below it lies the crop's edge.
    assert _at(mask, mesh[np.array([175])]).min() > 0.2
    assert _at(mask, mesh[np.concatenate([LEFT_EYE, RIGHT_EYE])]).max() == 0
    cheeks = mesh[np.array([207, 427])]
    assert _at(mask, cheeks).min() > 0.9


def test_mouth_region_is_one_outline_from_cheek_to_cheek():
    region = mouth_region(_mesh())
    assert len(np.unique(region, axis=0)) == len(region)
    x, y = region.T
    area = abs(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))
    assert 9000 < area < 25000
    assert y.max() > 245 and y.min() > 120


def test_photograph(astronaut_face):
    crop, mesh, _ = astronaut_face
    mask = face_mask(mesh) > 0.9
    skin = crop[mask].astype(int)
    assert 0.2 < mask.mean() < 0.6
    assert (skin[:, 0] > skin[:, 2]).mean() > 0.9  # redder than blue
