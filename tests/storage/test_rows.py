from pathlib import Path

import numpy as np
import pytest

from swaptalk.storage.rows import Rows, RowWriter


def test_rows_are_a_plain_npy_file(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32)
    with RowWriter(tmp_path / "a.npy", 7, (2, 3), np.float32) as writer:
        writer.append(values[:3])
        writer.append(values[3:])
    assert np.array_equal(np.load(tmp_path / "a.npy"), values)
    with Rows(tmp_path / "a.npy") as rows:
        assert len(rows) == 7
        assert np.array_equal(rows[5], values[5])
        assert np.array_equal(rows.read(2, 6), values[2:6])
        with pytest.raises(IndexError):
            rows.read(5, 8)


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with RowWriter(tmp_path / "a.npy", 2, (4,), np.uint16) as writer:
        with pytest.raises(ValueError, match="do not fit"):
            writer.append(np.zeros((1, 5), np.uint16))
        with pytest.raises(ValueError, match="do not fit"):
            writer.append(np.zeros((3, 4), np.uint16))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_and_not_a_signal() -> None:
    writer = RowWriter(Path("/dev/full"), 100_000, (512,), np.uint16)
    with pytest.raises(OSError, match="space"):
        writer.append(np.zeros((100_000, 512), np.uint16))
