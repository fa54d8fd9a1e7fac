"""Draw the curves of training runs, of any stage.

    python benchmarks/plot_runs.py RUN... --out curves.png  # needs matplotlib

Each run is a row: every loss of its ``log.csv`` and every number of its ``metrics.csv`` over the
steps, each in its own small plot.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

#: Columns of log.csv that are not losses.
BOOKKEEPING = ("step", "rate", "elapsed", "samples_per_second")
#: Small plots beside one another.
COLUMNS = 6
#: Share of the steps over which losses are averaged for the drawn line: single rows are noisy.
SMOOTHING = 0.05


def read(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Column -> (steps, values), of the rows where the column has a value."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    if not path.exists():
        return found
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, cell in row.items():
                if name not in BOOKKEEPING and not name.endswith("_gradient") and cell:
                    steps, values = found.setdefault(name, ([], []))
                    steps.append(float(row["step"]))
                    values.append(float(cell))
    return found


def smooth(values: list[float]) -> np.ndarray:
    """Centred running mean; at the ends over what there is."""
    width = max(1, round(SMOOTHING * len(values)))
    kernel = np.ones(2 * width + 1)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def curves(run: Path) -> list[tuple[str, str, list[float], list[float]]]:
    """Name, file, steps and values of each of a run's curves."""
    found = {kind: read(run / f"{kind}.csv") for kind in ("log", "metrics")}
    return [
        (name, kind, *curve) for kind, columns in found.items() for name, curve in columns.items()
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    runs = {run: curves(run) for run in arguments.runs}
    rows = [-(-len(plots) // COLUMNS) for plots in runs.values()]
    if not all(rows):
        empty = next(str(run) for run, plots in runs.items() if not plots)
        parser.error(f"{empty} holds neither log.csv nor metrics.csv with a row")
    figure, axes = plt.subplots(
        sum(rows), COLUMNS, figsize=(2.6 * COLUMNS, 1.8 * sum(rows)), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for first, (run, plots) in zip(np.cumsum([0, *rows[:-1]]), runs.items(), strict=True):
        for axis, (name, kind, steps, values) in zip(axes[first:].flat, plots, strict=False):
            axis.axis("on")
            if kind == "log":
                axis.plot(steps, values, color="0.8", linewidth=0.6)
                axis.plot(steps, smooth(values), color="tab:blue", linewidth=1.2)
            else:
                axis.plot(steps, values, "o-", color="tab:orange", markersize=2.5, linewidth=1.0)
            axis.set_title(
                f"{run.name}\n{name}" + ("" if kind == "log" else " (evaluation)"), fontsize=7
            )
            axis.tick_params(labelsize=6)
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=90)


if __name__ == "__main__":
    main()
