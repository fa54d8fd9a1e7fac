from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.pairs import external_pairs  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.media.image import write_image  # noqa: E402


def flat(path: Path, grey: int, size: int = 256) -> None:
    write_image(path, np.full((size, size, 3), grey, np.uint8))


def as_it_is(picture: np.ndarray) -> np.ndarray:
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def test_pairs_of_another_swapper(tmp_path: Path) -> None:
    for name, base in (("a", 10), ("b_2", 100)):
        for offset, part in enumerate(("target", "source", "result")):
            flat(tmp_path / f"{name}_{part}.png", base + offset, 256 if part != "source" else 300)
    pairs = external_pairs(tmp_path, as_it_is)
    assert [[int(crop[0, 0, 0]) for crop in pair] for pair in pairs] == [[10, 11, 12], [100, 101, 102]]
    assert all(crop.shape == (256, 256, 3) for pair in pairs for crop in pair)


def test_incomplete_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pairs"):
        external_pairs(tmp_path, as_it_is)
    flat(tmp_path / "a_target.png", 1)
    flat(tmp_path / "a_source.png", 2)
    with pytest.raises(InputError, match="a lacks its _source or _result picture"):
        external_pairs(tmp_path, as_it_is)
    flat(tmp_path / "a_result.png", 3, 128)
    with pytest.raises(InputError, match="differ in size"):
        external_pairs(tmp_path, as_it_is)
