"""Draws the memory of runs of different length."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


def plot(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """A line for each run: seconds since its start (logarithmic), resident MB of the program and
    its decoder.
    """
    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    for name, samples in curves.items():
        axes.plot(
            [max(seconds, 0.1) for seconds, _ in samples],
            [memory for _, memory in samples],
            label=name,
        )
    axes.set(xscale="log", xlabel="seconds since the start", ylabel="resident MB", ylim=(0, None))
    axes.legend(title="length of the video", frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
