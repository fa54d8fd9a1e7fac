"""Pairs shared out among processes: metrics keep one core busy each, so a machine with many runs
many pairs at once.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from swaptalk.evaluation.protocols import Pair
from swaptalk.evaluation.run import Evaluation, PairResult

Build = Callable[[], Evaluation]
"""Makes the evaluation inside a process; must be picklable (a function of a module, or a partial of
one)."""

_evaluation: Evaluation | None = None


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

    def note(results: Sequence[PairResult]) -> None:
        for result in results:
            done[result.protocol, result.name] = result
            say(f"[{len(done)}/{len(pairs)}] {result.protocol}: {result.name}")

    if workers == 1:
        evaluation = build()
        for pair in pairs:
            note([evaluation.pair(pair)])
    else:
        _share_out(build, by_target(pairs), workers, note)
    return [done[pair.protocol, pair.name] for pair in pairs]


def _share_out(
    build: Build,
    groups: Sequence[Sequence[Pair]],
    workers: int,
    note: Callable[[Sequence[PairResult]], None],
) -> None:
    context = multiprocessing.get_context("spawn")  # the networks' threads do not survive a fork
    with ProcessPoolExecutor(min(workers, len(groups)), context, _start, (build,)) as executor:
        futures: list[Future[list[PairResult]]] = [
            executor.submit(_work, group) for group in groups
        ]
        try:
            for future in as_completed(futures):
                note(future.result())
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _start(build: Build) -> None:
    global _evaluation
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _evaluation = build()


def _end_with_parent() -> None:
    """A run that is killed must not leave processes behind that go on writing into its folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(group: Sequence[Pair]) -> list[PairResult]:
    assert _evaluation is not None
    return [_evaluation.pair(pair) for pair in group]
