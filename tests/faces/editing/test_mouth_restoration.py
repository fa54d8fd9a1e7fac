"""Mouths drawn again with the person's own pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.lip_composite import LipReference, composite_lips, mouth_inside
from swaptalk.faces.editing.mask import mouth_mask
from swaptalk.faces.editing.mouth_restoration import mouth_guide, restore_mouth
from swaptalk.faces.geometry.topology import LIPS

from .test_lip_composite import with_opening


@pytest.fixture(scope="module")
def reference(astronaut_face) -> LipReference:
    return LipReference(astronaut_face[0], astronaut_face[1])


def softened(picture: np.ndarray, sigma: float = 3.0) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def difference(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b)[where].mean())


def drawn_again(
    references: list[LipReference], face: np.ndarray, mesh: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    return restore_mouth(face, mouth_guide(references, face, mesh, seen))


def test_a_soft_mouth_becomes_the_references(reference: LipReference) -> None:
    soft = softened(reference.crop)
    made = drawn_again([reference], soft, reference.mesh, reference.mesh)
    inside = mouth_mask(reference.mesh) > 0.95
    assert difference(made, reference.crop, inside) < 0.5 * difference(soft, reference.crop, inside)
    outside = mouth_mask(reference.even_mesh) == 0
    np.testing.assert_array_equal(made[outside], soft[outside])


def test_the_mouth_goes_where_the_network_put_the_lips(reference: LipReference) -> None:
    """The network's picture shows an open mouth; mesh and references know a closed one."""
    opened = with_opening(reference.mesh, 0.2)
    sharp = composite_lips([reference], reference.crop, reference.mesh, opened).picture
    seen = reference.mesh.copy()
    seen[LIPS] = opened[LIPS]
    made = drawn_again([reference], softened(sharp), reference.mesh, seen)
    lips = np.zeros((256, 256), np.uint8)
    cv2.fillConvexPoly(lips, cv2.convexHull(opened[LIPS, :2].round().astype(np.int32)), (255,))
    still = softened(reference.crop)
    assert difference(made, sharp, lips > 0) < 0.5 * difference(still, sharp, lips > 0)


def test_the_guide_shows_the_references_where_the_mask_is(reference: LipReference) -> None:
    grey = np.full_like(reference.crop, 128)
    guide = mouth_guide([reference], softened(reference.crop), reference.mesh, reference.mesh)
    made = guide.on(grey)
    np.testing.assert_array_equal(made[guide.mask == 0], 128)
    assert difference(made, reference.crop, guide.mask > 0.95) < 4


def test_the_light_is_the_networks(reference: LipReference) -> None:
    dark = softened(cv2.convertScaleAbs(reference.crop, alpha=0.75))
    made = drawn_again([reference], dark, reference.mesh, reference.mesh)
    inside = mouth_mask(reference.mesh) > 0.95
    low = softened(made, 8).astype(int) - softened(dark, 8)
    assert np.abs(low[inside]).mean() < 4


def test_a_tint_of_lips_alone_is_not_taken_over(reference: LipReference) -> None:
    """The network's lips are blue, its skin is right: lips come from the reference."""
    lips = np.zeros((256, 256), np.uint8)
    cv2.fillConvexPoly(
        lips, cv2.convexHull(reference.mesh[LIPS, :2].round().astype(np.int32)), (255,)
    )
    blue = reference.crop.copy()
    grey = cv2.cvtColor(reference.crop, cv2.COLOR_RGB2GRAY)
    blue[lips > 0] = np.stack([grey // 2, grey, np.minimum(grey.astype(int) * 2, 255)], -1)[
        lips > 0
    ]
    made = drawn_again([reference], softened(blue), reference.mesh, reference.mesh)

    def redness(picture: np.ndarray) -> float:
        red, _, blue = (picture[lips > 0][:, k].astype(float).mean() for k in range(3))
        return red / blue

    assert redness(made) > 0.85 * redness(reference.crop) > 1.2 * redness(blue)


def test_between_the_lips_all_is_of_one_picture(reference: LipReference) -> None:
    """References show a dark mouth where the network shows teeth in its middle: no tooth is left
    standing in the dark, and what lies around the lips is the references' as before.
    """
    opened = with_opening(reference.mesh, 0.25)
    dark = composite_lips([reference], reference.crop, reference.mesh, opened).picture
    inside = mouth_inside(opened)
    dark[inside > 0.5] = (40, 20, 20)
    middle = int(opened[LIPS, 0].mean())
    teeth = softened(dark, 2.0)
    block = np.zeros_like(inside)
    block[:, middle - 12 : middle + 12] = inside[:, middle - 12 : middle + 12] > 0.5
    rows = np.flatnonzero(block.any(axis=1))
    for row in rows:
        teeth[row, block[row] > 0] = (200, 195, 185) if (row // 2) % 2 else (120, 110, 105)
    made = drawn_again([LipReference(dark, opened)], teeth, opened, opened)
    where = inside > 0.9
    shares = np.abs(made.astype(float) - teeth)[where].sum(axis=1) / np.maximum(
        np.abs(dark.astype(float) - teeth)[where].sum(axis=1), 1
    )
    differing = np.abs(dark.astype(float) - teeth)[where].sum(axis=1) > 60
    assert differing.sum() > 50
    assert np.std(shares[differing]) < 0.2


def test_what_no_reference_shows_is_the_networks(reference: LipReference) -> None:
    """Teeth above and dark below in the network's wide open mouth; references that are closed know
    nothing of it, one that is open does.
    """
    closed = with_opening(reference.mesh, 0.02)
    lips_closed = composite_lips([reference], reference.crop, reference.mesh, closed).picture
    opened = with_opening(reference.mesh, 0.35)
    dark = composite_lips([reference], reference.crop, reference.mesh, opened).picture
    inside = mouth_inside(opened) > 0.9
    dark[inside] = (60, 30, 25)
    rows = np.flatnonzero(inside.any(axis=1))
    upper, lower = inside.copy(), inside.copy()
    upper[int(np.median(rows)) :], lower[: int(np.median(rows))] = False, False
    made = dark.copy()
    made[upper] = (170, 140, 130)

    def steps(references: list[LipReference]) -> float:
        shown = mouth_guide(references, made, opened, opened).on(made).mean(axis=2)
        return float(shown[upper].mean() - shown[lower].mean())

    assert steps([LipReference(lips_closed, closed)]) > 80
    assert abs(steps([LipReference(lips_closed, closed), LipReference(dark, opened)])) < 30
