import csv
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from swaptalk.data.exclude import Excluded, read_excluded  # noqa: E402
from swaptalk.data.prepare import PrepareReport, PrepareSettings, prepare  # noqa: E402
from swaptalk.data.store import read_index  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402


@pytest.fixture
def footage(tmp_path: Path, photo: Path, other_photo: Path) -> Path:
    folder = tmp_path / "footage"
    folder.mkdir()
    shutil.copy(photo, folder / f"one{photo.suffix}")
    shutil.copy(other_photo, folder / f"two{other_photo.suffix}")
    return folder


def run(footage: Path, data: Path, exclude: Path | None = None) -> PrepareReport:
    settings = PrepareSettings(data, workers=1, identities=False, test_share=0.0, exclude=exclude)
    return prepare([footage], settings)


def names(data: Path) -> list[str]:
    return [Path(item.name).stem for item in read_index(data)]


def dropped(data: Path) -> list[tuple[str, str, str]]:
    with (data / "dropped.csv").open(newline="") as file:
        return [(r["name"], Path(r["source"]).name, r["reason"]) for r in csv.DictReader(file)]


def test_excluded_photos_are_listed_and_stay_out(footage: Path, tmp_path: Path) -> None:
    two = next(footage.glob("two.*")).name
    file, data = tmp_path / "list.csv", tmp_path / "data"
    file.write_text(f"name,reason\nfootage/{two},sunglasses\nfootage/nowhere.png,child\n")
    report = run(footage, data, file)
    assert names(data) == ["one"]
    assert dropped(data) == [(f"footage/{two}", two, "sunglasses")]
    assert report.dropped == {"sunglasses": 1}
    assert report.lines()[-1] == "excluded, but not in the footage: 1 names"
    run(footage, data)  # without the list
    assert names(data) == ["one"] and dropped(data) == [(f"footage/{two}", two, "sunglasses")]


def test_what_was_prepared_before_leaves_the_index(footage: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    run(footage, data)
    assert sorted(names(data)) == ["one", "two"]
    one = next(footage.glob("one.*")).name
    file = tmp_path / "list.csv"
    file.write_text(f"name,reason\nfootage/{one},damaged\n")
    run(footage, data, file)
    assert names(data) == ["two"] and dropped(data) == [(f"footage/{one}", one, "damaged")]


def test_pieces_of_an_excluded_clip(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("name,reason\ntalk.mp4,covered\n")
    excluded = Excluded(tmp_path / "data")
    (tmp_path / "data").mkdir()
    excluded.add(file, [])
    assert "talk.mp4" in excluded and "talk.mp4@60s" in Excluded(tmp_path / "data")
    assert "talk.mp4.mp4" not in excluded and "me@talk.mp4" not in excluded


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name\na.png\n", "line 2 has no name or no reason"),
        (b"name,reason\na.png,child\n,child\n", "line 3 has no name or no reason"),
        (b"\xff\xfe\x00", "is not a readable table"),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        read_excluded(file)
    assert error.value.path == file


def test_only_what_is_listed_is_used(footage: Path, tmp_path: Path) -> None:
    two = next(footage.glob("two.*")).name
    file, data = tmp_path / "only.csv", tmp_path / "data"
    file.write_text(f"name\nfootage/{two}\n")
    settings = PrepareSettings(data, workers=1, identities=False, test_share=0.0, only=file)
    prepare([footage], settings)
    assert names(data) == ["two"]
    file.write_text(f"name\nfootage/{two}\nfootage/nowhere.png\n")
    with pytest.raises(InputError, match="nowhere.png, which the footage does not have"):
        prepare([footage], settings)
