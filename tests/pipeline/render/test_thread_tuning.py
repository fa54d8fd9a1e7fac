"""The networks get more threads where they limit the pipeline, and keep them where it pays."""

from __future__ import annotations

import pytest

from swaptalk.pipeline.render.thread_tuning import FEWEST_FRAMES, ThreadTuner


class Pipeline:
    """A clock, and networks of which a batch takes ``seconds`` by their threads."""

    def __init__(self, seconds: dict[int, float], waiting: float) -> None:
        self.now, self.seconds, self.waiting = 0.0, seconds, waiting
        self.threads, self.most_threads = min(seconds), max(seconds)
        self.tried: list[int] = []

    def use_threads(self, threads: int) -> None:
        self.threads = threads
        self.tried.append(threads)

    def run(self, frames: int, batches: int = 40) -> int:
        """Make so many batches; return the threads in use at the end."""
        tuner = ThreadTuner(self, frames, lambda: self.now)
        for _ in range(batches):
            begun = tuner.begin()
            self.now += self.seconds[self.threads]
            tuner.end(begun)
            self.now += self.waiting
        return self.threads


@pytest.mark.parametrize(
    ("seconds", "waiting", "threads", "tried"),
    [
        pytest.param({1: 0.7, 2: 0.4}, 0.01, 2, [2], id="limits-and-pays"),
        pytest.param({1: 0.7, 2: 0.7}, 0.01, 1, [2, 1], id="limits-but-does-not-pay"),
        pytest.param({1: 0.1, 2: 0.06}, 0.05, 1, [], id="others-limit"),
        pytest.param({2: 0.7}, 0.0, 2, [], id="chosen-by-the-user"),
    ],
)
def test_threads_follow_from_what_is_measured(
    seconds: dict[int, float], waiting: float, threads: int, tried: list[int]
) -> None:
    pipeline = Pipeline(seconds, waiting)
    assert pipeline.run(FEWEST_FRAMES) == threads
    assert pipeline.tried == tried


def test_short_jobs_are_left_alone() -> None:
    pipeline = Pipeline({1: 0.7, 2: 0.4}, 0.0)
    assert pipeline.run(FEWEST_FRAMES - 1) == 1
    assert pipeline.tried == []
