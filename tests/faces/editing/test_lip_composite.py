"""The classical lip-sync: which reference shows, what it leaves alone, and the inside of the
mouth."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.editing.lip_composite import (
    MEETING,
    MOUTH_BOX,
    LipReference,
    agreeing,
    composite_lips,
    covering_mesh,
    mouth_inside,
    reference_shares,
    warped_mouth,
)
from swaptalk.faces.editing.mask import mouth_mask
from swaptalk.faces.editing.mesh_warp import polygon_mask
from swaptalk.faces.geometry.lip_shape import face_shape, lip_shape_model
from swaptalk.faces.geometry.mouth_motion import INNER_LIP_PAIRS
from swaptalk.faces.geometry.pose import Pose, rotate_mesh
from swaptalk.faces.geometry.topology import CANONICAL_MESH, OUTER_LIPS

MODEL = lip_shape_model()


def with_opening(mesh: np.ndarray, opening: float) -> np.ndarray:
    return MODEL.move(mesh, MODEL.neutral(face_shape(mesh)), MODEL.opened(opening))


@pytest.fixture(scope="module")
def reference(astronaut_face) -> LipReference:
    return LipReference(astronaut_face[0], astronaut_face[1])


def test_the_same_mouth_gives_the_same_picture(reference: LipReference) -> None:
    made = composite_lips([reference], reference.crop, reference.mesh, reference.even_mesh)
    difference = np.abs(made.picture.astype(int) - reference.crop)
    assert difference.mean() < 1.5
    np.testing.assert_array_equal(made.mask, mouth_mask(reference.even_mesh))


def test_a_reference_with_a_wrong_mesh_is_left_out(reference: LipReference) -> None:
    mouths = [
        LipReference(
            composite_lips([reference], reference.crop, reference.mesh, mesh).picture, mesh
        )
        for mesh in (with_opening(reference.mesh, opening) for opening in (0.02, 0.1, 0.2))
    ]
    wrong = LipReference(reference.crop, reference.mesh - np.array([30, 45, 0], np.float32))
    assert all(
        a is b for a, b in zip(agreeing([mouths[0], wrong, *mouths[1:]]), mouths, strict=True)
    )
    assert len(agreeing([mouths[0], wrong])) == 2


def test_only_the_lower_face_changes(reference: LipReference) -> None:
    mesh = with_opening(reference.mesh, 0.02)
    made = composite_lips([reference], reference.crop, reference.mesh, mesh)
    np.testing.assert_array_equal(made.picture[:100], reference.crop[:100])
    assert np.abs(made.picture.astype(int) - reference.crop)[150:220, 90:166].mean() > 3
    assert made.mesh is mesh or np.array_equal(made.mesh, mesh)


def test_the_inside_is_the_open_reference_and_the_skin_the_one_in_the_same_pose(
    reference: LipReference,
) -> None:
    """Red skin from the closed reference, a green inside from the open one."""
    red, green = (np.full((256, 256, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 200, 0)))
    closed = LipReference(red, with_opening(reference.mesh, 0.0))
    turned = rotate_mesh(CANONICAL_MESH, Pose(4, 0, 0)) * 62 + [128, 100, 0]
    opened = LipReference(green, with_opening(turned.astype(np.float32), 0.25))
    mesh = with_opening(reference.mesh, 0.2)
    made = composite_lips([closed, opened], reference.crop, reference.mesh, mesh, light=False)
    inside = mouth_inside(mesh) > 0.99
    assert inside.sum() > 200
    assert made.picture[inside][:, 1].min() > 150 and made.picture[inside][:, 0].max() < 50
    skin = (made.mask > 0.99) & (mouth_inside(mesh) == 0)
    assert made.picture[skin][:, 0].mean() > made.picture[skin][:, 1].mean()


def test_shares_change_smoothly_and_at_most_three_show(reference: LipReference) -> None:
    references = [
        LipReference(reference.crop, with_opening(reference.mesh, o)) for o in (0.0, 0.1, 0.25)
    ]
    before = None
    for opening in np.linspace(0.0, 0.25, 126):
        shares = reference_shares(references, with_opening(reference.mesh, float(opening)))
        for share in shares:
            assert share.sum() == pytest.approx(1) and (share > 0).sum() <= 3
        if before is not None:
            skin, inside = (np.abs(a - b).max() for a, b in zip(shares, before, strict=True))
            assert skin < 0.05 and inside < 0.25
        before = shares
    assert shares[1][2] > 0.9


def test_a_wide_mouth_is_not_pressed_shut(reference: LipReference) -> None:
    """The closed mouth shows, though the wide one's head points the same way."""
    turned = rotate_mesh(CANONICAL_MESH, Pose(6, 6, 0)) * 62 + [128, 100, 0]
    straight = rotate_mesh(CANONICAL_MESH, Pose(0, 0, 0)) * 62 + [128, 100, 0]
    closed, wide = (
        LipReference(reference.crop, with_opening(mesh.astype(np.float32), opening))
        for mesh, opening in ((turned, 0.03), (straight, 0.3))
    )
    assert wide.opening > 0.45 and closed.opening < 0.1
    for opening, least in ((0.0, 0.95), (0.3, 0.0)):
        mesh = with_opening(straight.astype(np.float32), opening)
        skin, _ = reference_shares([closed, wide], mesh)
        assert least <= skin[0] <= least + 0.05


def test_the_light_of_the_frame_is_kept(reference: LipReference) -> None:
    dark = (reference.crop * 0.6).astype(np.uint8)
    made = composite_lips([reference], dark, reference.mesh, reference.even_mesh)
    core = made.mask > 0.99
    assert made.picture[core].mean() == pytest.approx(dark[core].mean(), rel=0.06)


def test_a_mask_covers_the_chin_that_was_and_the_one_that_is(reference: LipReference) -> None:
    high, low = (with_opening(reference.mesh, opening) for opening in (0.0, 0.25))
    both = [mouth_mask(mesh) for mesh in (high, low)]
    for before, after in ((high, low), (low, high)):
        covered = mouth_mask(covering_mesh(before, before, after))
        chin = slice(190, 256), slice(100, 156)
        assert (covered[chin] >= np.maximum(*both)[chin] - 0.1).all()


def test_lips_of_a_smile_meet_without_a_line_of_teeth(astronaut_face) -> None:
    """The reference shows her teeth; where lips meet, nothing between them is brighter than they
    are, and a dark line is.
    """
    crop, mesh = astronaut_face[:2]
    reference = LipReference(crop, mesh)
    teeth = mouth_inside(mesh) > 0.9
    assert teeth.sum() > 150  # otherwise this shows nothing
    for opening in (0.0, 0.015):
        closed = with_opening(mesh, opening)
        face = warped_mouth([reference], closed, None)
        whole = crop.copy()
        whole[MOUTH_BOX.slices] = face
        upper, lower = np.array(INNER_LIP_PAIRS).T
        middle = (closed[upper, :2] + closed[lower, :2]) / 2
        for x, y in middle[1:-1].round().astype(int):
            column = whole[y - 6 : y + 7, x].mean(axis=1)
            assert column[4:9].max() <= column[[0, 1, -2, -1]].max() + 4
            assert column[4:9].min() < 0.9 * np.median(column)


def test_open_lips_show_their_teeth_as_before(astronaut_face) -> None:
    crop, mesh = astronaut_face[:2]
    wide = with_opening(mesh, MEETING[1] + 0.05)
    shown = warped_mouth([LipReference(crop, mesh)], wide, None)
    inside = mouth_inside(wide)[MOUTH_BOX.slices]
    lips = (polygon_mask(wide[OUTER_LIPS], 256)[MOUTH_BOX.slices] > 127) & (inside == 0)
    assert shown[inside > 0.9].mean() > 1.05 * shown[lips].mean()
