"""Fine structure of a composite: what comes back, and what the network removed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.fine_structure import restore_fine_structure
from swaptalk.faces.editing.mask import face_mask


@pytest.fixture(scope="module")
def composite(astronaut_face) -> FaceComposite:
    return FaceComposite(astronaut_face[0], face_mask(astronaut_face[1]), astronaut_face[1])


def softened(picture: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def error(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b)[where].mean())


def test_a_softened_face_becomes_sharp_inside_the_mask(composite: FaceComposite) -> None:
    """In a target that is sharper than the composite, so that all may be given."""
    soft = softened(composite.picture)
    sharp = cv2.addWeighted(composite.picture, 1.5, softened(composite.picture, 3.0), -0.5, 0)
    made = restore_fine_structure(soft, composite, sharp)
    inside = composite.mask > 0.9
    # Four fifths of the fine structure come back.
    assert error(made, composite.picture, inside) < 0.65 * error(soft, composite.picture, inside)
    np.testing.assert_array_equal(made[composite.mask == 0], soft[composite.mask == 0])


def test_light_and_colour_stay_the_networks(composite: FaceComposite) -> None:
    soft = softened(cv2.convertScaleAbs(composite.picture, alpha=0.7))
    made = restore_fine_structure(soft, composite, composite.picture)
    low = softened(made, 8).astype(int) - softened(soft, 8)
    assert np.abs(low[composite.mask > 0.9]).mean() < 1.5


def test_what_the_network_removed_stays_removed(composite: FaceComposite) -> None:
    """A bright bar across the cheek, in the composite alone: most of it does not come back."""
    soft = softened(composite.picture)
    spoilt = composite.picture.copy()
    cheek = composite.mesh[50, :2].round().astype(int)
    bar = np.s_[cheek[1] - 3 : cheek[1] + 3, cheek[0] - 14 : cheek[0] + 14]
    spoilt[bar] = 255
    made = restore_fine_structure(
        soft, FaceComposite(spoilt, composite.mask, composite.mesh), composite.picture
    )
    change = np.abs(made.astype(int) - soft)[bar].mean()
    assert change < 0.3 * np.abs(spoilt.astype(int) - soft)[bar].mean()


def test_what_is_kept_is_shown_as_the_composite_has_it(composite: FaceComposite) -> None:
    kept = np.zeros(composite.mask.shape, np.float32)
    kept[90:120] = 1
    whole = FaceComposite(composite.picture, composite.mask, composite.mesh, kept)
    made = restore_fine_structure(softened(composite.picture, 4.0), whole, composite.picture)
    np.testing.assert_array_equal(made[90:120], composite.picture[90:120])
    assert error(made, composite.picture, kept == 0) > 0


def test_the_face_is_not_sharper_than_its_surroundings(composite: FaceComposite) -> None:
    soft = softened(composite.picture, 4.0)
    inside = composite.mask > 0.9
    sharp, dull = (
        restore_fine_structure(soft, composite, target)
        for target in (composite.picture, softened(composite.picture, 4.0))
    )
    assert error(dull, soft, inside) < 0.5 * error(sharp, soft, inside)


def test_a_share_of_nothing_changes_nothing(composite: FaceComposite) -> None:
    soft = softened(composite.picture)
    nothing = np.zeros((256, 256), np.float32)
    made = restore_fine_structure(soft, composite, composite.picture, nothing)
    np.testing.assert_array_equal(made, soft)


def test_rims_are_the_composites(composite: FaceComposite) -> None:
    rims = np.zeros((256, 256), np.float32)
    rims[90:94, 60:200] = 1
    grey = np.full_like(composite.picture, 128)
    worn = FaceComposite(composite.picture, composite.mask, composite.mesh, rims)
    made = restore_fine_structure(grey, worn, composite.picture)
    np.testing.assert_array_equal(made[rims > 0], composite.picture[rims > 0])
    without = restore_fine_structure(grey, composite, composite.picture)
    np.testing.assert_array_equal(made[rims == 0], without[rims == 0])
