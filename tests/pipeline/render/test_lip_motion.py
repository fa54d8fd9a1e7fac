"""What the audio encoder hears becomes lips that close."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS, MOTION_CHANNELS
from swaptalk.pipeline.render.lip_motion import HEARD, SEEN, LipMotion


def test_small_openings_are_heard_as_closing_lips() -> None:
    heard = np.linspace(0, 0.2, 201)
    seen = np.interp(heard, HEARD, SEEN)
    assert (np.diff(seen) > 0).all() and (seen <= heard + 1e-12).all()
    np.testing.assert_allclose(seen[heard >= 0.07], heard[heard >= 0.07])


@pytest.mark.parametrize("opening, seen", [(0.1, 0.1), (0.032, 0.016)])
def test_the_middle_token_counts_and_closes_if_asked(opening: float, seen: float) -> None:
    scale = np.zeros(MOTION_CHANNELS, np.float32), np.ones(MOTION_CHANNELS, np.float32)
    motion = LipMotion(scale)
    tokens = np.stack([motion.opened(value) for value in (0.3, opening, 0.3)])
    assert motion.heard(tokens)[:ABSOLUTE_CHANNELS].mean() == pytest.approx(opening, rel=1e-3)
    closing = motion.heard(tokens, closes=True)[:ABSOLUTE_CHANNELS].mean()
    assert closing == pytest.approx(seen, abs=1e-4)


def test_a_motion_is_a_token_and_back() -> None:
    rng = np.random.default_rng(0)
    scale = rng.random(MOTION_CHANNELS, np.float32), 1 + rng.random(MOTION_CHANNELS, np.float32)
    motion = LipMotion(scale)
    raw = motion.opened(0.2)
    np.testing.assert_allclose(motion.heard(motion.token(raw)[None]), raw, atol=1e-6)


def test_the_network_is_told_to_close_lips_and_to_open_wide_mouths_further() -> None:
    rng = np.random.default_rng(0)
    scale = rng.random(MOTION_CHANNELS, np.float32), 1 + rng.random(MOTION_CHANNELS, np.float32)
    motion = LipMotion(scale)
    heard = np.linspace(0, 0.3, 61)
    tokens = np.stack([motion.token(motion.opened(value)) for value in heard])
    told = motion.spoken(tokens)
    openings = np.array([motion.heard(one[None])[:ABSOLUTE_CHANNELS].mean() for one in told])
    assert (np.diff(openings) > 0).all()
    assert openings[0] == pytest.approx(0, abs=1e-5)
    small, middle, wide = heard == heard[6], (heard > 0.072) & (heard < 0.11), heard > 0.2
    assert openings[small] < 0.6 * heard[small], "lips that should touch"
    np.testing.assert_allclose(openings[middle], heard[middle], atol=1e-5)
    assert (openings[wide] > 1.2 * heard[wide]).all()
    np.testing.assert_array_equal(motion.spoken(tokens[None])[0], told)
