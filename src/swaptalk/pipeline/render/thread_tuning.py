"""How many threads the networks get, found by measurement in the first frames of a job."""

from __future__ import annotations

import time
from collections.abc import Callable

from swaptalk.pipeline.networks import Networks

#: Batches of a measurement, and those before it that are not counted: the first ones compile
#: kernels.
MEASURED, SKIPPED = 6, 2
#: Share of the time above which the networks are what the other stages wait for.
LIMITING_SHARE = 0.9
#: Least gain for which more threads are kept.
LEAST_GAIN = 0.03
#: Jobs with fewer frames than this are over before it would pay.
FEWEST_FRAMES = 150


class ThreadTuner:
    """Gives the networks all cores where they limit the pipeline and it pays.

    They begin with some of the cores, because threads that compute one network together wait for
    each other whenever another stage has a core. Where the networks are busy nearly all of the time
    the other stages leave cores idle: then they get all of them, and the quicker of the two
    remains. Results are the same bit by bit.

    Args:
        networks: what is tuned.
        frames: frames of the job; short ones are left alone.
        clock: seconds.
    """

    def __init__(
        self, networks: Networks, frames: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._networks, self._clock = networks, clock
        self._least = networks.threads
        self._done = frames < FEWEST_FRAMES or self._least >= networks.most_threads
        self._before: float | None = None
        self._restart()

    def _restart(self) -> None:
        self._batches, self._busy, self._begun = -SKIPPED, 0.0, 0.0

    def begin(self) -> float:
        """Return the time at which a batch begins to be computed."""
        return self._clock()

    def end(self, begun: float) -> None:
        """Count a full batch that was begun then, and decide when enough were measured."""
        if self._done:
            return
        now = self._clock()
        self._batches += 1
        if self._batches == 0:
            self._begun = now
        elif self._batches > 0:
            self._busy += now - begun
        if self._batches == MEASURED:
            self._decide((now - self._begun) / MEASURED)

    def _decide(self, seconds: float) -> None:
        """Take the next step, knowing the seconds that a batch took with the present threads."""
        if self._before is None:
            if self._busy < LIMITING_SHARE * seconds * MEASURED:
                self._done = True
                return
            self._before = seconds
            self._networks.use_threads(self._networks.most_threads)
            self._restart()
            return
        if seconds > self._before * (1 - LEAST_GAIN):
            self._networks.use_threads(self._least)
        self._done = True
