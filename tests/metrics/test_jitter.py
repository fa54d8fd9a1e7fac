import numpy as np
import pytest

from swaptalk.metrics.jitter import TemporalJitter


def grey(value: float, shape: tuple[int, int] = (48, 48)) -> np.ndarray:
    return np.full((*shape, 3), value, np.uint8)


def measure(generated: list[np.ndarray], target: list[np.ndarray]) -> TemporalJitter:
    jitter = TemporalJitter()
    for a, b in zip(generated, target, strict=True):
        jitter.add(a, b)
    return jitter


def test_a_copy_adds_nothing() -> None:
    rng = np.random.default_rng(0)
    clip = [np.clip(128 + rng.normal(0, 3, (48, 48, 3)), 0, 255).astype(np.uint8) for _ in range(5)]
    assert measure(clip, clip).excess == 0.0
    assert measure(clip, clip).target > 0.5


def test_flicker_of_a_known_height() -> None:
    result = measure([grey(100 + 4 * (i % 2)) for i in range(10)], [grey(100)] * 10)
    assert result.generated == pytest.approx(4.0)
    assert result.excess == pytest.approx(4.0)


def test_moving_parts_of_the_target_do_not_count() -> None:
    target = []
    for i in range(6):
        frame = grey(100)
        frame[:, :24] = 60 + 30 * (i % 2)
        target.append(frame)
    generated = [frame.copy() for frame in target]
    for i, frame in enumerate(generated):
        frame[:, :8] = 200 * (i % 2)  # changes only where the target moves
    assert measure(generated, target).excess == pytest.approx(0.0)


def test_one_frame_is_undefined() -> None:
    assert np.isnan(measure([grey(1)], [grey(1)]).excess)
