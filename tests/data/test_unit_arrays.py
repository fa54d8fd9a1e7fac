from pathlib import Path

import numpy as np
import pytest

from swaptalk.data.unit_arrays import UnitArrays
from swaptalk.errors import InputError


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    made: list[str] = []

    def compute(unit: str) -> np.ndarray:
        if unit == "bad":
            raise RuntimeError
        made.append(unit)
        return np.full((2, 3), len(made), np.float32)

    arrays = UnitArrays(tmp_path / "numbers", "the numbers")
    with pytest.raises(RuntimeError):
        arrays.build(["b", "a", "bad"], compute)
    steps: list[tuple[int, int]] = []
    arrays.build(["c", "b", "c"], compute, lambda done, total: steps.append((done, total)))
    assert made == ["a", "b", "c"] and steps == [(1, 1)]
    assert arrays("c").tolist() == [[3, 3, 3]] * 2
    assert not arrays.has("bad") and sorted(p.name for p in arrays.folder.iterdir()) == [
        "a.npy",
        "b.npy",
        "c.npy",
    ]


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    arrays = UnitArrays(tmp_path, "the numbers")
    for unit in ("cut", "absent"):
        with pytest.raises(InputError, match=f"the numbers of {unit} cannot be read"):
            arrays(unit)
