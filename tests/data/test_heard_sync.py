"""Which clips are in sync, by the motion that is heard in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from swaptalk.data.heard_sync import believed_shift, believed_shifts, opening_correlations
from swaptalk.data.motion import MotionTable
from swaptalk.data.store import Dataset
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS, MOTION_CHANNELS


def motion(seed: int, frames: int = 120) -> np.ndarray:
    """Tokens (T, D) of a mouth that opens and closes about three times a second."""
    rng = np.random.default_rng(seed)
    opening = np.convolve(rng.standard_normal(frames + 8), np.hanning(9), "valid")
    tokens = rng.standard_normal((frames, MOTION_CHANNELS)).astype(np.float32)
    tokens[:, :ABSOLUTE_CHANNELS] = opening[:, None]
    return tokens


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_lips_that_follow_the_sound_are_found_where_they_are(shift: int) -> None:
    heard = motion(0)
    lips = np.roll(heard, shift, axis=0)
    known = np.ones(len(heard), bool)
    known[40:50] = False
    assert believed_shift(opening_correlations(heard, lips, known)) == shift


def test_lips_far_from_their_sound_or_of_somebody_else_are_not_believed() -> None:
    known = np.ones(120, bool)
    late = np.roll(motion(0), 9, axis=0)
    assert believed_shift(opening_correlations(motion(0), late, known)) is None
    foreign = [
        believed_shift(opening_correlations(motion(a), motion(b), known))
        for a, b in ((0, 1), (2, 3), (4, 5), (6, 7))
    ]
    assert foreign == [None] * 4


def test_too_little_and_lips_that_rest_say_nothing() -> None:
    few = np.zeros(120, bool)
    few[:15] = True
    assert opening_correlations(motion(0), motion(0), few) == {}
    still = np.ones((120, MOTION_CHANNELS), np.float32)
    assert opening_correlations(motion(0), still, np.ones(120, bool)) == {}
    assert believed_shift({}) is None


def test_clips_of_a_dataset(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset({"one": "ann", "two": "bob"}, {})
    table = MotionTable(dataset)
    table.build()
    truth = {item.name: table.tokens(item) for item in dataset.items}
    told = []
    believed = believed_shifts(
        dataset.items,
        table,
        lambda item: truth[item.name] if item.name == "one" else truth[item.name][:10],
        lambda done, count: told.append((done, count)),
    )
    assert believed == {"one": 0}
    assert told == [(1, 2), (2, 2)]
