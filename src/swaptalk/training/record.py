"""The numbers of a run: plain CSV files that a killed and resumed run continues seamlessly, and
TensorBoard.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swaptalk.storage.files import AtomicFile


class MetricTable:
    """A CSV file with one row a step; new columns may appear at any time, and rows beyond a step
    can be taken back.

    Args:
        path: the file; rows in it are kept.
        after: rows of steps beyond this are dropped, because a resumed run makes them again.
    """

    def __init__(self, path: Path, after: int) -> None:
        self._path = path
        self._rows: list[dict[str, str]] = []
        self._columns = ["step"]
        if path.exists():
            with path.open(newline="") as file:
                reader = csv.DictReader(file)
                self._columns = list(reader.fieldnames or ["step"])
                # A row cut off by a crash has no number, or lacks columns.
                self._rows = [
                    r for r in reader if (r["step"] or "").isdigit() and None not in r.values()
                ]
            self._rows = [r for r in self._rows if int(r["step"]) <= after]
            self._rewrite()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append the row of a step; a row that this step has already is replaced."""
        again = bool(self._rows) and int(self._rows[-1]["step"]) == step
        if again:
            self._rows.pop()
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        self._rows.append(row)
        new = [name for name in row if name not in self._columns]
        if new or again or not self._path.exists():
            self._columns += new
            self._rewrite()
            return
        with self._path.open("a", newline="") as file:
            self._writer(file).writerow(row)

    @property
    def rows(self) -> list[dict[str, float]]:
        """All rows; empty cells are left out."""
        return [{name: float(cell) for name, cell in row.items() if cell} for row in self._rows]

    def _writer(self, file: Any) -> csv.DictWriter[str]:
        return csv.DictWriter(file, self._columns, restval="", lineterminator="\n")

    def _rewrite(self) -> None:
        text = io.StringIO()
        writer = self._writer(text)
        writer.writeheader()
        writer.writerows(self._rows)
        with AtomicFile(self._path) as target:
            target.part.write_text(text.getvalue())


class Record:
    """A run's ``log.csv`` (losses), ``metrics.csv`` (evaluation) and ``tensorboard/``; only the
    first process writes.

    Args:
        folder: the run.
        step: step at which the run begins or goes on.
        tensorboard: write TensorBoard's files too.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        self.losses = MetricTable(folder / "log.csv", step)
        self.metrics = MetricTable(folder / "metrics.csv", step)
        self._board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write_losses(self, step: int, values: Mapping[str, float]) -> None:
        """Losses, learning rate and speed, averaged since the last call."""
        self.losses.add(step, values)
        self._scalars("train", step, values)

    def write_metrics(self, step: int, values: Mapping[str, float], sheet: Any = None) -> None:
        """Results of an evaluation and its sample sheet, RGB uint8 (H, W, 3)."""
        self.metrics.add(step, values)
        self._scalars("validation", step, values)
        if self._board is not None and sheet is not None:
            self._board.add_image("samples", sheet, step, dataformats="HWC")

    def _scalars(self, prefix: str, step: int, values: Mapping[str, float]) -> None:
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{prefix}/{name}", value, step)

    def close(self) -> None:
        """Flush and close TensorBoard's file."""
        if self._board is not None:
            self._board.close()
