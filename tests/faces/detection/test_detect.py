import cv2
import numpy as np
import pytest

from swaptalk.faces.detection.detect import intersection_over_union
from swaptalk.faces.geometry.region import CropRegion

from ..conftest import find_mesh


def test_intersection_over_union():
    a, b = np.array([0, 0, 10, 10], np.float32), np.array([5, 0, 15, 10], np.float32)
    assert intersection_over_union(a, b) == pytest.approx(1 / 3)
    assert intersection_over_union(a, a) == 1
    assert intersection_over_union(a, a + 20) == 0
    assert intersection_over_union(a * 0, a * 0) == 0


def test_photograph_has_one_face_with_keypoints_in_place(astronaut, detector):
    found = detector(astronaut)
    assert len(found) == 1 and found[0].score > 0.7
    left, top, right, bottom = found[0].box
    assert left < 222 < right and top < 120 < bottom  # her nose
    eyes, mouth = found[0].keypoints[:2], found[0].keypoints[3]
    assert eyes[0, 0] < eyes[1, 0] and mouth[1] > eyes[:, 1].max()


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.5])
def test_detection_scales_with_the_picture(astronaut, detector, scale):
    resized = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = detector(resized)
    assert len(found) == 1
    assert np.abs(found[0].centre / scale - detector(astronaut)[0].centre).max() < 15


def test_two_faces_largest_first(astronaut, hopper, detector):
    picture = np.full((512, 1024, 3), 120, np.uint8)
    picture[:, :512] = astronaut
    picture[150:400, 600:810] = cv2.resize(hopper, (210, 250), interpolation=cv2.INTER_AREA)
    found = detector(picture)
    assert len(found) == 2
    assert found[0].size > found[1].size and found[0].centre[0] < 512 < found[1].centre[0]


@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 2000)])
def test_nothing_in_an_empty_picture(shape, detector):
    assert detector(np.full((*shape, 3), 100, np.uint8)) == []


def test_mesh_lies_on_the_face(astronaut, detector, mesh):
    found = find_mesh(astronaut, detector, mesh)
    assert found.points.shape == (468, 3) and found.presence > 0.95
    eyes = detector(astronaut)[0].keypoints[:2]
    centres = np.stack([found.xy[[33, 133]].mean(axis=0), found.xy[[362, 263]].mean(axis=0)])
    assert np.linalg.norm(centres - eyes, axis=1).max() < 8


def test_mesh_knows_where_no_face_is(astronaut, mesh):
    region = CropRegion(np.array([420, 420], np.float32), 150.0, 0.0)  # the flag and the suit
    assert mesh(astronaut, region).presence < 0.5


def test_mesh_of_a_turned_picture(astronaut, detector, mesh):
    upright = find_mesh(astronaut, detector, mesh)
    matrix = cv2.getRotationMatrix2D((222, 120), 25, 1.0)
    turned = cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)
    found = find_mesh(turned, detector, mesh)
    expected = upright.xy @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(found.xy - expected, axis=1).mean() < 2.5


def test_region_follows_points():
    points = np.zeros((468, 2), np.float32)
    points[:, 0], points[:, 1] = np.linspace(100, 200, 468), np.linspace(50, 150, 468)
    points[33], points[263] = (120, 80), (180, 80)
    region = CropRegion.around_points(points)
    assert region.rotation == 0 and region.side == pytest.approx(150)
    np.testing.assert_allclose(region.centre, [150, 100])
    np.testing.assert_allclose(region.matrix(192) @ [150, 100, 1], [95.5, 95.5], atol=1e-4)
