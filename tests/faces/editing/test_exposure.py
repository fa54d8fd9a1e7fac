import numpy as np
import pytest

from swaptalk.faces.editing.exposure import PALEST, Exposure, exposures, face_light


def test_light_of_a_face_follows_the_picture(hopper, detector, mesh):
    from ..conftest import find_mesh

    xy = find_mesh(hopper, detector, mesh).xy
    light, shade = face_light(hopper, xy)
    assert 0 <= shade < 0.5 * light
    assert 60 < light < 220
    half = face_light((hopper * 0.5).astype(np.uint8), xy)
    assert half == pytest.approx((light / 2, shade / 2), abs=1)
    covered = hopper.copy()
    low, high = xy.min(axis=0).astype(int), xy.max(axis=0).astype(int)
    covered[(low[1] + 2 * high[1]) // 3 : high[1], low[0] : high[0]] = 15  # a hand over the chin
    assert face_light(covered, xy)[0] == pytest.approx(light, rel=0.15)
    assert face_light(hopper, xy + 5000) == (0, 0)


def no_veil(light):
    """Shades of a face without white in it."""
    return 0.2 * np.asarray(light)


def test_ordinary_changes_of_light_are_left_alone():
    light = 120 * np.array([1, 0.85, 1.1, 0.9, 1.2])
    shade = light * [0.2, 0.3, 0.15, 0.25, 0.2]
    found, dark, pale = exposures(light, shade, np.ones(5, bool))
    assert (found == [1, 0]).all() and not dark.any() and not pale.any()


@pytest.mark.parametrize("levels", [np.linspace(0, 1, 40), np.linspace(1, 0, 40)])
def test_a_fade_is_brought_to_the_usual_light(levels):
    """In and out: what is bright enough comes near the full light, the rest is said to be dark."""
    light = np.concatenate([130 * levels, np.full(30, 130.0)])
    found, dark, pale = exposures(light, no_veil(light), np.ones(70, bool))
    kept = light[~dark] * found[~dark, 0]
    assert (light[dark] < 130 / 12).all() and dark.sum() in range(2, 6)
    assert kept.min() > 130 * 2**-0.5 and kept.max() <= 130
    assert (np.diff(np.sort(kept)) >= 0).all()
    assert not found[:, 1].any() and not pale.any()


@pytest.mark.parametrize("shares", [np.linspace(1, 0, 40), np.linspace(0, 1, 40)])
def test_a_fade_from_or_to_white_gets_its_contrast_back(shares, hopper, detector, mesh):
    """Every picture of the fade comes back to the one that was faded; the palest are said."""
    from ..conftest import find_mesh

    xy = find_mesh(hopper, detector, mesh).xy
    whites = np.concatenate([shares, np.zeros(20)])
    shown = [np.rint(hopper * (1 - t) + 255 * t).astype(np.uint8) for t in whites]
    levels = np.array([face_light(picture, xy) for picture in shown])
    found, dark, pale = exposures(levels[:, 0], levels[:, 1], np.ones(60, bool))
    assert not dark.any() and (whites[pale] > PALEST - 0.02).all() and 3 <= pale.sum() <= 7
    assert found[whites >= 0.25, 1][~pale[whites >= 0.25]] == pytest.approx(
        whites[(whites >= 0.25) & ~pale], abs=0.03
    )
    for number in np.flatnonzero(~pale):
        exposure = Exposure(*found[number].tolist())
        clean = exposure.apply(shown[number]).astype(float)
        # Rounding to 8 bits is what the fade has lost for good; small shares are let be.
        lost = 30 if whites[number] < 0.25 else 8 + 0.5 / (1 - whites[number])
        assert np.abs(clean - hopper).mean() < lost
        back = exposure.undo(exposure.apply(shown[number])).astype(int)
        assert np.abs(back - shown[number]).mean() < 1


def test_a_flicker_loses_most_of_its_swing():
    light = np.where(np.arange(60) % 5 == 0, 30.0, 120.0)
    found, _, _ = exposures(light, no_veil(light), np.ones(60, bool))
    assert (light * found[:, 0]).min() > 90


def test_a_flash_is_dimmed_and_its_white_taken_away():
    light, shade = np.full(50, 120.0), np.full(50, 24.0)
    light[20], shade[20] = 240, 48  # twice the light
    light[30], shade[30] = 0.5 * 120 + 127.5, 0.5 * 24 + 127.5  # half of it white
    found, dark, pale = exposures(light, shade, np.ones(50, bool))
    assert 120 <= 240 * found[20, 0] < 160 and found[20, 1] == 0
    assert found[30] == pytest.approx([1, 0.5], abs=0.01)
    others = np.delete(np.arange(50), [20, 30])
    assert (found[others] == [1, 0]).all() and not dark.any() and not pale.any()


def test_unusable_frames_have_no_say():
    usable = np.array([True, False, True])
    light = np.array([100.0, 0.0, 100.0])
    found, dark, pale = exposures(light, no_veil(light), usable)
    assert (found == [1, 0]).all() and not dark.any() and not pale.any()
    found, dark, pale = exposures(np.zeros(2), np.zeros(2), np.zeros(2, bool))
    assert (found == [1, 0]).all() and not dark.any() and not pale.any()


def test_there_and_back():
    face = np.random.default_rng(0).integers(0, 60, (256, 256, 3)).astype(np.uint8)
    assert Exposure().apply(face) is face
    back = Exposure(4.0).undo(Exposure(4.0).apply(face))
    assert np.abs(back.astype(int) - face).max() <= 1
