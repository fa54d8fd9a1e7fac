"""Light measured on a face, taken off and put on."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.editing.light import (
    light_change,
    measure_light,
    mesh_normals,
    transfer_light,
)
from swaptalk.faces.geometry.align import estimate_alignment
from swaptalk.faces.geometry.topology import CANONICAL_MESH


@pytest.fixture(scope="module")
def mesh() -> np.ndarray:
    return estimate_alignment(CANONICAL_MESH[:, :2]).to_crop(CANONICAL_MESH)


def lit(side: float, colour: tuple[int, int, int] = (180, 140, 120)) -> np.ndarray:
    """Skin everywhere, brighter towards the right by exp(side) at the edge of the face."""
    ramp = np.exp(side * np.linspace(-1, 1, 256))[None, :, None]
    return np.clip(ramp * np.array(colour), 0, 255).repeat(256, axis=0).astype(np.uint8)


def test_normals_point_out_of_the_face(mesh: np.ndarray) -> None:
    normals = mesh_normals(mesh)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert normals[4, 2] < -0.5, "the tip of the nose looks at the camera"
    assert normals[454, 0] > 0.3 > -0.3 > normals[234, 0], "the sides look sideways"


def test_side_light_is_measured_and_turned_round(mesh: np.ndarray) -> None:
    right, left = measure_light(lit(0.4), mesh), measure_light(lit(-0.4), mesh)
    assert (right[1] > 0.05).all() and (left[1] < -0.05).all()
    normals = mesh_normals(mesh)
    gain = light_change(right, left, normals, normals)
    assert (gain[352] < 0.9).all() and (gain[123] > 1.1).all()
    np.testing.assert_allclose(light_change(right, right, normals, normals), 1, atol=1e-5)


def test_colour_of_the_skin_is_the_constant_term(mesh: np.ndarray) -> None:
    light = measure_light(lit(0, (180, 140, 120)), mesh)
    middle = np.exp(light[0] + light[3] * -0.8) - 6
    np.testing.assert_allclose(middle, (180, 140, 120), rtol=0.05)


def test_hair_is_no_light(mesh: np.ndarray) -> None:
    face = lit(0)
    covered = face.copy()
    covered[:, 200:] = (20, 15, 10)
    np.testing.assert_allclose(
        measure_light(covered, mesh)[0], measure_light(face, mesh)[0], atol=0.1
    )


def test_contrast_follows_the_target_within_limits() -> None:
    rng = np.random.default_rng(0)
    matte = (
        np.clip(150 + rng.normal(0, 6, (256, 256, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
    )
    shiny = (
        np.clip(150 + rng.normal(0, 30, (256, 256, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
    )
    made = transfer_light(matte, shiny, np.ones((256, 256), np.float32))
    # Fair skin in hard light would look like fog; noise and wrinkles may not become five times as
    # strong.
    assert 1.3 * matte.std() < made.std() < 1.6 * matte.std()


def test_black_stays_black() -> None:
    source = np.random.default_rng(0).integers(60, 200, (256, 256, 3)).astype(np.uint8)
    source[:64] = 0
    skin = np.ones((256, 256), np.float32)
    made = transfer_light(source, np.full((256, 256, 3), (220, 180, 150), np.uint8), skin)
    assert made[:60].max() == 0


def test_a_shiny_dark_face_does_not_burn_out_on_a_pale_one() -> None:
    rows, columns = np.mgrid[:256, :256]
    shine = np.exp(-(((rows - 150) / 30) ** 2) - (((columns % 64) - 32) / 14) ** 2)[..., None]
    dark = (np.array([70, 50, 40]) * (1 + 0.8 * shine)).astype(np.uint8)
    pale = (np.array([200, 170, 150]) * (1 + 0.15 * shine)).astype(np.uint8)
    made = transfer_light(dark, pale, np.ones((256, 256), np.float32))
    # With the gain alone it would be 255, as dark skin's highlights are 1.8 times its middle.
    assert made[..., 0].max() < 250
    np.testing.assert_allclose(np.median(made, axis=(0, 1)), np.median(pale, axis=(0, 1)), rtol=0.1)


def test_patches_of_coloured_light_are_evened_out_but_rosy_cheeks_stay() -> None:
    skin = np.ones((256, 256), np.float32)
    plain = np.full((256, 256, 3), (190, 150, 130), np.uint8)
    rows, columns = np.mgrid[:256, :256]
    spot = np.exp(-(((rows - 128) / 40) ** 2) - ((columns - 180) / 40) ** 2)[..., None]

    def patch(strength: float) -> float:
        """How much redder the spot comes out than the other side."""
        lamp = plain * np.exp(strength * spot * np.array([0.5, -0.5, -0.5]))
        made = transfer_light(np.clip(lamp, 0, 255).astype(np.uint8), plain, skin).astype(float)
        ratio = made[..., 0] / made[..., 1]
        return float(np.log(ratio[128, 180] / ratio[128, 60]))

    assert patch(0.06) > 0.7 * 0.06, "cheeks"
    assert patch(0.6) < 0.55 * 0.6, "a lamp"
    assert patch(0.6) > patch(0.3) > patch(0.06)


def test_a_target_in_coloured_light_keeps_some_of_it() -> None:
    skin = np.ones((256, 256), np.float32)
    even = np.full((256, 256, 3), (190, 150, 130), np.uint8)
    tint = np.exp(0.2 * np.linspace(-1, 1, 256)[None, :, None] * np.array([1, 0, -1]))
    lit = np.clip(even * tint, 0, 255).astype(np.uint8)
    made = transfer_light(lit, lit, skin).astype(float)
    ratio = np.log(made[128, :, 0] / made[128, :, 2])
    assert ratio[220] - ratio[36] > 0.6 * 0.4 * 184 / 255
