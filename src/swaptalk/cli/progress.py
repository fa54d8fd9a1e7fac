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


class Counter:
    """Shows how many things of each part of a work are done.

    Args:
        shown: where.
    """

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._part, self._done = "", 0

    def __call__(self, part: str, done: int, total: int) -> None:
        """So much of a part is done; another one begins where the name changes or less is done."""
        if part != self._part or done < self._done:
            self._shown.begin(part, total)
            self._part, self._done = part, 0
        self._shown.advance(done - self._done)
        self._done = done

    def end(self) -> None:
        """Leave what is shown as it is."""
        self._shown.end()


def counter(unit: str) -> Counter:
    """Counts things of this name (in the singular): a bar on a terminal, else lines."""
    return Counter(ProgressBar(unit) if sys.stderr.isatty() else ProgressLines(unit=unit))


class ProgressBar(Progress):
    """Progress bars on a terminal.

    Args:
        unit: what is counted, in the singular.
    """

    def __init__(self, unit: str = "frame") -> None:
        self._unit = unit
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
            unit=self._unit,
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
        unit: what is counted, in the singular.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, unit: str = "frame") -> None:
        self._unit, self._clock = unit, clock
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
        share = (
            f"{self._done} of {self._total} {self._unit}s ({self._done / max(1, self._total):.0%})"
        )
        left = (self._total - self._done) / rate
        _say(f"{self._stage}: {share}, {rate:.1f} a second, {left:.0f} s left")
