import numpy as np
import pytest

from swaptalk.faces.editing.exposure import expose, exposure_gains, face_light


def test_light_of_a_face_follows_the_picture(hopper, detector, mesh):
    from ..conftest import find_mesh

    xy = find_mesh(hopper, detector, mesh).xy
    light = face_light(hopper, xy)
    assert 60 < light < 220
    assert face_light((hopper * 0.5).astype(np.uint8), xy) == pytest.approx(light / 2, abs=1)
    covered = hopper.copy()
    low, high = xy.min(axis=0).astype(int), xy.max(axis=0).astype(int)
    covered[(low[1] + 2 * high[1]) // 3 : high[1], low[0] : high[0]] = 15  # a hand over the chin
    assert face_light(covered, xy) == pytest.approx(light, rel=0.15)
    assert face_light(hopper, xy + 5000) == 0


def test_ordinary_changes_of_light_are_left_alone():
    light = 120 * np.array([1, 0.85, 1.1, 0.9, 1.2])
    gains, dark = exposure_gains(light, np.ones(5, bool))
    assert (gains == 1).all() and not dark.any()


@pytest.mark.parametrize("levels", [np.linspace(0, 1, 40), np.linspace(1, 0, 40)])
def test_a_fade_is_brought_to_the_usual_light(levels):
    """In and out: what is bright enough comes near the full light, the rest is said to be dark."""
    light = np.concatenate([130 * levels, np.full(30, 130.0)])
    gains, dark = exposure_gains(light, np.ones(70, bool))
    kept = light[~dark] * gains[~dark]
    assert (light[dark] < 130 / 12).all() and dark.sum() in range(2, 6)
    assert kept.min() > 130 * 2**-0.5 and kept.max() <= 130
    assert (np.diff(np.sort(kept)) >= 0).all()


def test_a_flicker_loses_most_of_its_swing():
    light = np.where(np.arange(60) % 5 == 0, 30.0, 120.0)
    gains, _ = exposure_gains(light, np.ones(60, bool))
    assert (light * gains).min() > 90


def test_unusable_frames_have_no_say():
    usable = np.array([True, False, True])
    gains, dark = exposure_gains(np.array([100.0, 0.0, 100.0]), usable)
    assert (gains == 1).all() and not dark.any()
    gains, dark = exposure_gains(np.zeros(2), np.zeros(2, bool))
    assert (gains == 1).all() and not dark.any()


def test_there_and_back():
    face = np.random.default_rng(0).integers(0, 60, (256, 256, 3)).astype(np.uint8)
    assert expose(face, 1.0) is face
    back = expose(expose(face, 4.0), 1 / 4.0)
    assert np.abs(back.astype(int) - face).max() <= 1
