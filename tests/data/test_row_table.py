"""Examples by number: the same ones, whether they are read or kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.data.row_table import FrameTable, Rows, RowTable  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402


def example(number: int) -> Rows:
    return {
        "picture": torch.full((2, 2), number % 200, dtype=torch.uint8),
        "weight": torch.tensor(number / 2),
    }


def test_kept_examples_are_those_that_are_read() -> None:
    read, kept = RowTable("a", 600, example), RowTable("a", 600, example)
    kept.keep("cpu", threads=3)
    numbers = [3, 599, 3, 0]
    batch = kept.pick(numbers)
    assert list(batch) == ["a"] and batch["a"].tolist() == numbers
    wanted, found = read.rows(read.pick(numbers)), kept.rows(batch)
    assert list(found) == ["picture", "weight"]
    for key, part in wanted.items():
        assert found[key].dtype == part.dtype and torch.equal(found[key], part)


def test_tables_of_one_batch_do_not_mix() -> None:
    one, other = RowTable("a", 9, example), RowTable("b", 9, example)
    batch = {**one.pick([1]), **other.pick([2, 3])}
    assert one.rows(batch)["weight"].tolist() == [0.5]
    assert other.rows(batch)["weight"].tolist() == [1.0, 1.5]


def test_what_is_not_drawn_is_not_read() -> None:
    seen: list[int] = []

    def read(number: int) -> Rows:
        seen.append(number)
        return example(number)

    table, told = RowTable("a", 9, read), []
    table.keep("cpu", numbers=[5, 2], progress=lambda *done: told.append(done))
    assert set(seen) == {2, 5} and told == [(2, 2)]
    assert table.rows(table.pick([2, 5]))["weight"].tolist() == [1.0, 2.5]


def test_frames_are_found_by_their_number(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset({"a": "ada", "b": "bob"}, {"c": "cy"})
    table = FrameTable(
        "f", dataset.items, lambda frame: {"face": torch.from_numpy(dataset.picture(*frame))}
    )
    frames = [(dataset.items[1], 79), (dataset.items[2], 0), (dataset.items[0], 0)]
    picked = table.rows(table.pick([table.number(frame) for frame in frames]))["face"]
    for face, frame in zip(picked, frames, strict=True):
        assert np.array_equal(face.numpy(), dataset.picture(*frame))


def test_a_full_gpu_is_said_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    with pytest.raises(Exception, match="200 examples .* leave out --resident"):
        RowTable("a", 200, example).keep("cuda")
