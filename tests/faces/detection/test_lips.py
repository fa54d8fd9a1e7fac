import cv2
import numpy as np

from swaptalk.assets.catalogue import resolve
from swaptalk.faces.detection.landmarks import FaceMesh
from swaptalk.faces.geometry.align import Alignment
from swaptalk.faces.geometry.part_view import (
    REGION_SIDE,
    VIEW_SIZE,
    from_view,
    lip_region,
    part_view,
    to_view,
)
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import (
    INNER_LIPS,
    LIP_BOTTOM,
    LIP_TOP,
    LIPS,
    canonical_crop_mesh,
    mouth_openness,
)


def test_positions_come_back_from_the_view() -> None:
    rng = np.random.default_rng(0)
    region = CropRegion(np.array([300.0, 200.0], np.float32), 90.0, 0.3)
    points = (region.centre + rng.uniform(-40, 40, (40, 2))).astype(np.float32)
    seen = to_view(points, region)
    assert np.abs(from_view(seen, region) - points).max() < 1e-2
    turned = from_view(np.array([[0, 0], [1, 0]], np.float32), region)
    assert np.allclose(turned[0], region.centre, atol=1e-2)
    assert np.allclose(turned[1] - turned[0], 45 * np.array([np.cos(0.3), np.sin(0.3)]), atol=0.5)


def test_the_region_follows_size_and_turn_of_the_face_and_holds_its_lips() -> None:
    mesh = np.concatenate([canonical_crop_mesh(), np.zeros((468, 1), np.float32)], axis=1)
    region = lip_region(mesh)
    eyes = float(np.linalg.norm(mesh[33] - mesh[263]))
    assert region.side == np.float32(REGION_SIDE * eyes) and abs(region.rotation) < 1e-3
    assert np.abs(to_view(mesh[LIPS], region)).max() < 0.8
    angle = np.deg2rad(25)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]],
        np.float32,
    )
    turned = lip_region(2 * mesh @ turn.T)
    assert np.isclose(turned.side, 2 * region.side, rtol=1e-4) and np.isclose(
        turned.rotation, angle, atol=1e-3
    )


def test_the_view_shows_the_region() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    cv2.rectangle(image, (80, 90), (119, 109), (255, 255, 255), -1)
    view = part_view(image, CropRegion(np.array([99.5, 99.5], np.float32), 80.0, 0.0))
    assert view.shape == (VIEW_SIZE, VIEW_SIZE, 3)
    inside = view[..., 0] > 127
    assert abs(inside.sum() - 40 * 20 * (VIEW_SIZE / 80) ** 2) < 40


def test_lips_alone_are_moved_and_an_opened_mouth_is_seen_open(
    astronaut_face: tuple[np.ndarray, np.ndarray, Alignment], mesh: FaceMesh
) -> None:
    """A dark gap is painted between the lips: the refined mesh must show it, more than before."""
    portrait, found, _ = astronaut_face
    region = CropRegion.around_points(found[:, :2])
    plain = FaceMesh(resolve("face-mesh"), refine_lips=False)
    before, after = (network(portrait, region).points for network in (plain, mesh))
    others = np.setdiff1d(np.arange(468), LIPS)
    assert np.array_equal(before[others], after[others]) and np.array_equal(
        before[:, 2], after[:, 2]
    )
    assert 0 < np.abs(before[LIPS, :2] - after[LIPS, :2]).max() < 0.2 * lip_region(before).side

    opened = portrait.copy()
    gap = before[INNER_LIPS, :2].copy()
    middle = (before[LIP_TOP, :2] + before[LIP_BOTTOM, :2]) / 2
    size = float(np.linalg.norm(before[33] - before[263]))
    gap[:, 1] = middle[1] + np.sign(gap[:, 1] - middle[1]) * 0.12 * size
    cv2.fillPoly(opened, [np.round(gap).astype(np.int32)], (40, 15, 15), cv2.LINE_AA)
    assert mouth_openness(mesh(opened, region).points) > mouth_openness(after) + 0.1
