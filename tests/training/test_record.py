import csv
from pathlib import Path

import pytest

pytest.importorskip("torch")

from swaptalk.training.record import MetricTable, Record  # noqa: E402


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_columns_may_appear_later(tmp_path: Path) -> None:
    table = MetricTable(tmp_path / "log.csv", 0)
    table.add(1, {"a": 0.5})
    table.add(2, {"a": 0.25, "b": 3})
    table.add(3, {"b": 4})
    assert rows(tmp_path / "log.csv") == [
        {"step": "1", "a": "0.5", "b": ""},
        {"step": "2", "a": "0.25", "b": "3"},
        {"step": "3", "a": "", "b": "4"},
    ]
    assert table.rows[0] == {"step": 1, "a": 0.5}


def test_rows_after_the_checkpoint_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    table = MetricTable(path, 0)
    for step in (1, 2, 3):
        table.add(step, {"a": step, "b": 0})
    with path.open("a") as file:
        file.write("4,0")  # cut off by a crash
    again = MetricTable(path, 2)
    again.add(3, {"a": 9, "b": 1})
    assert [row["a"] for row in rows(path)] == ["1", "2", "9"]


def test_tensorboard_can_be_read(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = Record(tmp_path, 0, tensorboard=True)
    record.write_losses(5, {"loss": 0.5})
    record.write_metrics(5, {"l1": 0.25})
    record.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert events.Scalars("train/loss")[0].value == 0.5
    assert events.Scalars("validation/l1")[0].step == 5
