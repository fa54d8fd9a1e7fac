"""Progress of what a stage prepares, in words."""

from __future__ import annotations

from collections.abc import Callable


def announce(what: str) -> Callable[[int, int], None]:
    """Progress of a cache in words, every tenth part of it.

    Args:
        what: is being done: "making triplets".
    """

    def say(done: int, total: int) -> None:
        if done == total or done % max(1, total // 10) == 0:
            print(f"{what}: {done} of {total}", flush=True)

    return say
