from __future__ import annotations

from pathlib import Path

import pytest

from swaptalk.errors import InputError
from swaptalk.storage.files import AtomicFile, beside, longest_name


@pytest.mark.parametrize("length", [1, 244, 248, 251, 254, 255])
def test_names_as_long_as_the_system_has_them(tmp_path: Path, length: int) -> None:
    """The working file's name fits where the file's own does, in bytes."""
    name = "é" * ((length - 1) // 2) + "x" * (1 + (length - 1) % 2)
    assert len(name.encode()) == length
    with AtomicFile(tmp_path / name) as file:
        file.part.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "whole"


def test_working_names(tmp_path: Path) -> None:
    assert beside(tmp_path / "out.mp4", ".job") == tmp_path / "out.mp4.job"
    most = longest_name(tmp_path)
    first, second = (beside(tmp_path / (letter * most), ".job") for letter in "ab")
    assert first != second and len(first.name) < 30 and first.suffix == ".job"
    assert beside(tmp_path / ("a" * most), ".job") == first


def test_names_that_are_too_long_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name too long"):
        AtomicFile(tmp_path / ("x" * (longest_name(tmp_path) + 1)))


def test_links_are_followed(tmp_path: Path) -> None:
    """To a file, to a place where there is none yet, and over several steps."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "old.txt").write_text("old")
    for name, place in (("here.txt", "store/old.txt"), ("new.txt", "store/new.txt")):
        (tmp_path / name).symlink_to(place)
        (tmp_path / f"again-{name}").symlink_to(name)
        with AtomicFile(tmp_path / f"again-{name}") as file:
            file.part.write_text("whole")
        assert (tmp_path / name).is_symlink() and (tmp_path / place).read_text() == "whole"
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["new.txt", "old.txt"]


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("b.txt")
    (tmp_path / "b.txt").symlink_to("a.txt")
    with pytest.raises(InputError, match="cannot be written"):
        AtomicFile(tmp_path / "a.txt")
