"""Pairs shared out among processes: metrics keep one core busy each, so a machine with many runs
many pairs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from swaptalk.evaluation.protocols import Pair
from swaptalk.evaluation.run import Evaluation, PairResult
from swaptalk.workers.pool import map_unordered

Build = Callable[[], Evaluation]
"""Makes the evaluation inside a process; must be picklable (a function of a module, or a partial of
one)."""


def by_target(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs of one target clip together, because they share its files; the longest first, so that
    all end together.
    """
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.target.name, []).append(pair)
    return sorted(groups.values(), key=lambda group: -sum(pair.target.seconds for pair in group))


def measure_pairs(
    build: Build,
    pairs: Sequence[Pair],
    workers: int,
    say: Callable[[str], None] = lambda line: None,
) -> list[PairResult]:
    """Measure pairs, in this process or in several; the results have the pairs' order.

    Args:
        build: makes the evaluation.
        pairs: what to measure.
        workers: processes.
        say: is told what is done, one line at a time.
    """
    done: dict[tuple[str, str], PairResult] = {}
    groups = [[pair] for pair in pairs] if workers == 1 else by_target(pairs)
    for results in map_unordered(partial(_measurer, build), groups, workers):
        for result in results:
            done[result.protocol, result.name] = result
            say(f"[{len(done)}/{len(pairs)}] {result.protocol}: {result.name}")
    return [done[pair.protocol, pair.name] for pair in pairs]


def _measurer(build: Build) -> Callable[[Sequence[Pair]], list[PairResult]]:
    evaluation = build()
    return lambda group: [evaluation.pair(pair) for pair in group]
