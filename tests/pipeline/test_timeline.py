from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from swaptalk.pipeline.timeline import (
    Playback,
    frame_count,
    interpolate,
    motion_positions,
    output_seconds,
)


def motion_window(motion: NDArray[np.float32], time: float, window: int) -> NDArray[np.float32]:
    return interpolate(motion, motion_positions(time, window, len(motion)))


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"),
    [
        (10.0, Fraction(25), 250),
        (10.0, Fraction(30000, 1001), 300),  # 299.7
        (3.34, Fraction(50), 167),
        (0.02, Fraction(25), 1),  # half a frame rounds up
        (0.001, Fraction(25), 1),  # never an empty video
        (Fraction(16001, 16000), Fraction(25), 25),
    ],
)
def test_frame_count_is_rounded_seconds_times_fps(
    seconds: float, fps: Fraction, frames: int
) -> None:
    assert frame_count(seconds, fps) == frames


def test_length_policies() -> None:
    assert output_seconds("audio", 4.0, 10.0) == 10.0
    assert output_seconds("video", 4.0, 10.0) == 4.0
    assert output_seconds("shortest", 12.0, 10.0) == 10.0
    assert output_seconds("video", None, 10.0) == 10.0  # a photo has no length
    assert output_seconds("audio", 4.0, None) == 4.0  # swap: the video's own sound
    with pytest.raises(ValueError, match="length"):
        output_seconds("audio", None, None)


def test_pingpong_plays_back_and_forth_without_repeating_the_ends() -> None:
    assert [Playback(4)(i) for i in range(10)] == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert [Playback(1)(i) for i in range(3)] == [0, 0, 0]
    assert [Playback(3, "freeze")(i) for i in range(5)] == [0, 1, 2, 2, 2]


@given(length=st.integers(2, 50), index=st.integers(0, 500))
def test_pingpong_never_jumps(length: int, index: int) -> None:
    play = Playback(length)
    assert 0 <= play(index) < length
    assert abs(play(index + 1) - play(index)) == 1


def test_motion_window_is_centred_and_interpolated() -> None:
    motion = np.arange(10, dtype=np.float32)[:, None]  # token j has the value j
    assert motion_window(motion, 0.2, 3)[:, 0] == pytest.approx([4, 5, 6])
    # 30 fps: frame 7 is on screen at 7/30 s = token 5.8333
    assert motion_window(motion, 7 / 30, 3)[:, 0] == pytest.approx(
        [4.8333, 5.8333, 6.8333], abs=1e-3
    )
    # the ends are held
    assert motion_window(motion, 0.0, 5)[:, 0] == pytest.approx([0, 0, 0, 1, 2])
    assert motion_window(motion, 99.0, 3)[:, 0] == pytest.approx([9, 9, 9])


def test_at_25_fps_no_token_is_blurred() -> None:
    motion = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    for frame in range(2, 998, 83):
        assert motion_window(motion, frame / 25, 5) == pytest.approx(
            motion[frame - 2 : frame + 3], abs=1e-6
        )
