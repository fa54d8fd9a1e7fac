"""Report of a job: time per stage, peak memory, frames by outcome."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from swaptalk.media.sandbox import pool
from swaptalk.media.sandbox.usage import peak_resident_bytes

T = TypeVar("T")


class Stopwatch:
    """Measures the working time of every stage. Stages overlap: the sum may exceed the whole."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time spent inside the ``with`` block to the stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - begun
            with self._lock:
                self._seconds[name] += elapsed

    def iterate(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Yield ``items``, counting the time to produce each of them to the stage."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    @property
    def total(self) -> float:
        """Return the seconds since the stopwatch was made."""
        return time.perf_counter() - self._begun

    @property
    def stages(self) -> dict[str, float]:
        """Return the seconds of each stage so far."""
        with self._lock:
            return {name: round(seconds, 4) for name, seconds in self._seconds.items()}


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process and its decoding processes.

    An upper bound: the peaks need not have come at the same time, and libraries that both load are
    counted twice.
    """
    return peak_resident_bytes() + pool.peak_memory_bytes()


@dataclass(frozen=True)
class Report:
    """Result of a job; ``--stats`` writes it as JSON."""

    output: str
    frames: int
    """Frames of the output."""
    duration: float
    """Seconds of the output."""
    frame_rate: str
    """Frames per second of the output, as a fraction."""
    width: int
    height: int
    changed: int
    """Frames in which the face was replaced."""
    passed_through: dict[str, int]
    """Frames that show the target as it was, by reason."""
    resumed_frames: int
    """Frames that an interrupted job had already finished."""
    seconds: float
    """Duration of the job."""
    fps: float
    """Frames made per second of that time, from file to file."""
    watermark: str | None
    """Identifier in the pixels, 16 hexadecimal digits; None if the watermark was switched off."""
    notes: tuple[str, ...]
    """What was done to the inputs without being asked for, a line each."""
    photo_warnings: list[dict[str, Any]]
    """Warnings about source photos: photo, code, message, remedy and region (left, top, right,
    bottom in pixels of the photo)."""
    people: list[dict[str, Any]]
    """Of several people, what became of each: person, entry, changed and passed_through."""
    stages: dict[str, float]
    """Working seconds of each stage; stages overlap."""
    peak_memory_bytes: int

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(asdict(self), indent=2) + "\n"
