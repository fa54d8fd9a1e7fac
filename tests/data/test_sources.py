import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.sources import find_sources  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.media.image import write_image  # noqa: E402


def picture(path: Path, grey: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((8, 8, 3), grey, np.uint8))
    return path


def shard(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for index, name in enumerate(names):
            source = picture(path.parent / f"tmp{Path(name).suffix}", index)
            content = source.read_bytes()
            source.unlink()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_subfolders_are_people(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "ada" / "1.png")
    picture(tmp_path / "set" / "ada" / "more" / "2.png")
    picture(tmp_path / "set" / "loose.png")
    (tmp_path / "set" / "notes.txt").write_text("nothing")
    found = {s.name: s for s in find_sources([tmp_path / "set"])}
    assert {n: s.identity for n, s in found.items()} == {
        "set/ada/1.png": "set/ada",
        "set/ada/more/2.png": "set/ada",
        "set/loose.png": "",
    }
    assert all(s.kind == "photo" for s in found.values())


def test_photos_of_a_tar_file(tmp_path: Path) -> None:
    shard(tmp_path / "faces.tar", ["a.png", "bob/b.png", "readme.md.png"])
    found = find_sources([tmp_path / "faces.tar"])
    assert [s.name for s in found] == ["faces/a.png", "faces/bob/b.png", "faces/readme.md.png"]
    assert found[1].identity == "faces/bob"
    assert found[1].read_photo()[0, 0, 0] == 1


def test_an_index_says_who_and_where(tmp_path: Path) -> None:
    shard(tmp_path / "faces-000.tar", ["0.png", "1.png"])
    (tmp_path / "index.csv").write_text(
        "shard,name,set,person,split,licence\n"
        "faces-000.tar,0.png,celeb,ada,test,free\n"
        "faces-000.tar,1.png,wild,,train,unknown\n"
    )
    a, b = find_sources([tmp_path])
    assert (a.name, a.identity, a.split, a.licence) == ("celeb/0.png", "celeb:ada", "test", "free")
    assert (b.identity, b.split) == ("", "train")


def test_an_index_of_clips(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for name in ("abc", "def"):
        (tmp_path / "clips" / f"{name}.webm").write_bytes(b"not looked at yet")
    (tmp_path / "index.csv").write_text(
        "id,kind,identity,group,split\nabc,real,r1,7,train\ndef,generated,,8,train\n"
    )
    a, b = find_sources([tmp_path])
    assert (a.kind, a.identity.rpartition(":")[2], b.kind) == ("real", "7", "generated")
    (tmp_path / "index.csv").write_text("id,kind\nghi,real\n")
    with pytest.raises(InputError, match="lists ghi, which is not there"):
        find_sources([tmp_path])


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        find_sources([tmp_path / "absent"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no photo and no video"):
        find_sources([tmp_path / "empty"])
    for folder in ("a", "b"):
        picture(tmp_path / folder / "same" / "x.png")
    with pytest.raises(InputError, match="has the name"):
        find_sources([tmp_path / "a" / "same", tmp_path / "b" / "same"])


def test_a_damaged_tar_is_an_error_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "faces.tar").write_bytes(b"x" * 600)
    with pytest.raises(InputError, match="not a readable tar file"):
        find_sources([tmp_path / "faces.tar"])
