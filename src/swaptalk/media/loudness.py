"""Loudness by EBU R128 and peak limiting, with the filters of FFmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NotReadyError
from av.error import EOFError as NoMoreError
from numpy.typing import NDArray

#: Peaks are limited to this (dBFS): 1 dB of room for what lossy codecs add.
PEAK_CEILING = -1.5
#: Integrated loudness (LUFS) that FFmpeg reports where everything lies below the gate of R128.
_GATED = -70.0


def amplitude(decibels: float) -> float:
    """Factor of an amplitude for a gain in dB."""
    return float(10 ** (decibels / 20))


class _Filter:
    """One audio filter of FFmpeg, fed with blocks (n, channels) float32."""

    def __init__(self, name: str, options: str, rate: int, channels: int) -> None:
        self._rate, self._layout = rate, "mono" if channels == 1 else "stereo"
        self._graph = av.filter.Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=rate, format="fltp", layout=self._layout, time_base=Fraction(1, rate)
        )
        filtered = self._graph.add(name, options)
        # Some filters work in other formats or in packed samples.
        restored = self._graph.add("aformat", "sample_fmts=fltp")
        self._sink = self._graph.add("abuffersink")
        self._source.link_to(filtered)
        filtered.link_to(restored)
        restored.link_to(self._sink)
        self._graph.configure()
        self._pushed = 0
        #: What the filter said with its last frame.
        self.metadata: Mapping[str, str] = {}

    def __call__(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for block in blocks:
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(block.T), format="fltp", layout=self._layout
            )
            frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
            frame.pts = self._pushed
            self._pushed += len(block)
            self._source.push(frame)
            yield from self._made()
        self._source.push(None)
        yield from self._made()

    def _made(self) -> Iterator[NDArray[np.float32]]:
        while True:
            try:
                frame: Any = self._sink.pull()
            except (NotReadyError, NoMoreError):
                return
            self.metadata = frame.metadata or self.metadata
            yield np.ascontiguousarray(frame.to_ndarray().T, np.float32)


def integrated_loudness(
    blocks: Iterable[NDArray[np.float32]], rate: int, channels: int
) -> float | None:
    """Integrated loudness in LUFS by EBU R128 (ITU-R BS.1770), or None for silence.

    Args:
        blocks: (n, channels) float32.
        rate: samples a second.
        channels: 1 or 2.
    """
    meter = _Filter("ebur128", "metadata=1", rate, channels)
    for _ in meter(blocks):
        pass
    measured = float(meter.metadata.get("lavfi.r128.I", _GATED))
    return None if measured <= _GATED else measured


def limited(
    blocks: Iterable[NDArray[np.float32]], rate: int, channels: int
) -> Iterator[NDArray[np.float32]]:
    """Keep the peaks of blocks (n, channels) below `PEAK_CEILING`, without delay.

    What is quieter passes unchanged.
    """
    ceiling = amplitude(PEAK_CEILING)
    options = f"limit={ceiling:.6f}:attack=5:release=50:level=disabled:latency=1"
    return _Filter("alimiter", options, rate, channels)(blocks)
