import numpy as np
import pytest

from swaptalk.metrics.envelope_sync import envelope_sync


def envelope(frames: int = 300) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=frames + 4)
    return np.convolve(noise, np.ones(5) / 5, "valid")


@pytest.mark.parametrize("offset", [-7, 0, 5])
def test_a_shifted_clip_finds_the_offset(offset: int) -> None:
    whole = envelope(400)
    mouth, sound = whole[50:350], whole[50 + offset : 350 + offset]
    result = envelope_sync(0.1 + 0.02 * mouth, -30 + 5 * sound)
    assert result.offset == offset
    assert result.peak == pytest.approx(1.0, abs=1e-9)
    assert result.curve[15 + offset] == result.peak


def test_opposite_motion_is_minus_one_and_a_still_mouth_zero() -> None:
    sound = envelope()
    assert envelope_sync(-sound, sound).correlation == pytest.approx(-1.0)
    assert envelope_sync(np.full(300, 0.2), sound).peak == 0.0


def test_short_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        envelope_sync(np.zeros(40), np.zeros(40))
