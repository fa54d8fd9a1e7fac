"""Stretches of speech: sound, motion and features stay together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.augment_speech import UNITS_PER_DB  # noqa: E402
from swaptalk.data.motion import MotionTable  # noqa: E402
from swaptalk.data.speech import PAUSE_TOKENS, UNTIL_REST, SpeechSampler  # noqa: E402
from swaptalk.data.store import Dataset, Item  # noqa: E402
from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS  # noqa: E402

from .conftest import CLIP_FRAMES, GAP  # noqa: E402

TOKENS = 40


class Recognised:
    """Features that tell the frame: its number in a clip, 1 to ``CLIP_FRAMES``."""

    def __call__(self, item: Item) -> np.ndarray:
        return np.arange(1, item.count + 1, dtype=np.float16)[:, None].repeat(4, axis=1)


@pytest.fixture
def data(make_dataset: Callable[..., Dataset]) -> tuple[Dataset, MotionTable]:
    dataset = make_dataset({"one": "ann", "two": "bob"}, {})
    motion = MotionTable(dataset)
    motion.build()
    return dataset, motion


def test_frames_without_a_face_are_not_known(data: tuple[Dataset, MotionTable]) -> None:
    dataset, motion = data
    drawn = SpeechSampler(dataset, motion, dataset.items, TOKENS).draw(np.random.default_rng(0), 20)
    assert set(drawn) == {"mel", "tokens", "known", "resting"}
    assert drawn["mel"].shape == (20, 4 * TOKENS, 80)
    assert drawn["tokens"].shape == (20, TOKENS, MOTION_CHANNELS)
    known = drawn["known"].numpy()
    assert set(np.unique(known)) == {0, 1}
    gap = (GAP.stop - GAP.start) / CLIP_FRAMES
    assert 0.3 * gap < 1 - known.mean() < 3 * gap


def test_tokens_of_clips_that_are_not_in_sync_are_not_known(
    data: tuple[Dataset, MotionTable],
) -> None:
    dataset, motion = data
    rng = np.random.default_rng(0)
    one, two = dataset.items
    recognised: object = Recognised()
    sampler = SpeechSampler(dataset, motion, [two], TOKENS, {one.name: 0}, recognised)  # type: ignore[arg-type]
    drawn = sampler.draw(rng, 8)
    assert not drawn["known"].any() and drawn["heard"].any()


def test_features_go_with_the_tokens_and_lips_come_later_by_the_offset(
    data: tuple[Dataset, MotionTable],
) -> None:
    dataset, motion = data
    (one, _), shift = dataset.items, 3
    recognised: object = Recognised()
    sampler = SpeechSampler(dataset, motion, [one], TOKENS, {one.name: shift}, recognised)  # type: ignore[arg-type]
    drawn = sampler.draw(np.random.default_rng(1), 12)
    measured = motion.tokens(one)
    checked = 0
    for number, known, tokens in zip(
        drawn["features"][..., 0].numpy(),
        drawn["known"].numpy(),
        drawn["tokens"].numpy(),
        strict=True,
    ):
        frame = number - 1 + shift  # lips of this frame belong to the sound, between two frames
        low = frame.astype(int).clip(0, CLIP_FRAMES - 2)
        share = (frame - low)[:, None]
        wanted = measured[low] * (1 - share) + measured[low + 1] * share
        sure = known > 0
        np.testing.assert_allclose(tokens[sure], wanted[sure], atol=0.05)
        checked += int(sure.sum())
    assert checked > 100


def test_sound_that_breaks_off_is_silent_and_asks_for_nothing(
    data: tuple[Dataset, MotionTable],
) -> None:
    dataset, motion = data
    recognised: object = Recognised()
    offsets = {item.name: 0 for item in dataset.items}
    sampler = SpeechSampler(dataset, motion, dataset.items, TOKENS, offsets, recognised)  # type: ignore[arg-type]
    drawn = sampler.draw(np.random.default_rng(2), 60)
    silent = (drawn["mel"] == -1).all(dim=2).reshape(60, TOKENS, 4).all(dim=2)
    assert 5 < silent.any(dim=1).sum() < 30
    assert not (silent & (drawn["heard"] > 0)).any()
    assert not ((drawn["heard"] == 0) & (drawn["known"] > 0)).any()


def test_mouths_rest_in_inserted_pauses(data: tuple[Dataset, MotionTable]) -> None:
    dataset, motion = data
    sampler = SpeechSampler(dataset, motion, dataset.items, TOKENS, paused_share=1.0)
    drawn = sampler.draw(np.random.default_rng(0), 20)
    resting = drawn["resting"].numpy()
    assert set(np.unique(resting)) == {0, 1}
    rests = resting.sum(axis=1)
    assert (rests >= PAUSE_TOKENS[0] - 2 * UNTIL_REST).all()
    assert not (drawn["known"].numpy() * resting).any()
    level = drawn["mel"].numpy().reshape(20, TOKENS, -1).max(axis=2)
    loud = level.max(axis=1, keepdims=True)
    assert ((level < loud - 10 * UNITS_PER_DB) | (resting == 0)).mean() > 0.99
