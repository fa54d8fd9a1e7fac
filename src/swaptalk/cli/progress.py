"""How a job shows on standard error how far it is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from swaptalk.pipeline.progress import Progress

#: Seconds between two lines where standard error is no terminal.
LINE_SECONDS = 5.0
#: Size assumed of a terminal that does not know its own: of 0 lines, tqdm shows nothing.
_COLUMNS, _LINES = 80, 24


def shown_progress(silent: bool) -> Progress:
    """A bar on a terminal, a line now and then in a file or pipe, or nothing where ``silent``."""
    if silent:
        return Progress()
    if not sys.stderr.isatty():
        return ProgressLines()
    _say("reading the inputs and loading the networks")
    return ProgressBar()


def _say(text: str) -> None:
    print(f"swaptalk: {text}", file=sys.stderr, flush=True)


class ProgressBar(Progress):
    """Progress bars on a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def note(self, text: str) -> None:
        """Say it in a line of its own."""
        _say(f"note: {text}")

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Show a new bar."""
        self.end()
        known = _knows_its_size()
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=stage,
            unit="frame",
            file=sys.stderr,
            dynamic_ncols=known,
            ncols=None if known else _COLUMNS,
            nrows=None if known else _LINES,
        )

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(count)

    def end(self) -> None:
        """Leave the bar as it is and begin a new line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _knows_its_size() -> bool:
    try:
        return min(os.get_terminal_size(sys.stderr.fileno())) > 0
    except (OSError, ValueError):
        return False


class ProgressLines(Progress):
    """A line for every stage, every few seconds, for log files and other programs.

    Args:
        clock: seconds that pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._total = self._done = self._first = 0
        self._begun = self._said = 0.0

    def note(self, text: str) -> None:
        """Say it in a line of its own."""
        _say(f"note: {text}")

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Begin to count."""
        self._stage, self._total, self._done, self._first = stage, total, done, done
        self._begun = self._said = self._clock()

    def advance(self, count: int) -> None:
        """Say how far the stage is if nothing was said for long."""
        self._done += count
        now = self._clock()
        if now - self._said < LINE_SECONDS:
            return
        self._said = now
        rate = max(self._done - self._first, 1) / (now - self._begun)
        share = f"{self._done} of {self._total} frames ({self._done / max(1, self._total):.0%})"
        left = (self._total - self._done) / rate
        _say(f"{self._stage}: {share}, {rate:.1f} a second, {left:.0f} s left")
