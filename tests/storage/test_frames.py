from pathlib import Path

import numpy as np

from swaptalk.storage.frames import CodeStore


def test_codes_come_back_after_reopening_in_any_order(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16)).astype(np.uint8)
    store = CodeStore(tmp_path / "codes")
    assert store.get(0) is None
    for frame in (4, 0, 2):
        store.put(frame, codes[frame])
    store.close()
    store = CodeStore(tmp_path / "codes")
    assert [store.get(frame) is not None for frame in range(6)] == [
        True,
        False,
        True,
        False,
        True,
        False,
    ]
    assert np.array_equal(store.get(2), codes[2])
    store.put(1, codes[1])
    assert np.array_equal(store.get(1), codes[1]) and np.array_equal(store.get(4), codes[4])
    store.close()


def test_a_torn_record_counts_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "codes"
    store = CodeStore(path)
    store.put(0, np.full((2, 16, 16), 7, np.uint16))
    store.close()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    store = CodeStore(path)
    assert store.get(0) is None
    store.close()
    path.write_bytes(data[:-10])
    store = CodeStore(path)
    assert store.get(0) is None
    store.close()
