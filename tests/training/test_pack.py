"""Packs: what goes in comes out, in small files, and what is damaged is said."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("torch")

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.training.pack import (  # noqa: E402
    PACK_NAME,
    Pack,
    dataset_files,
    read_pack,
    unpack,
    write_pack,
)

SHARD = 20_000


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A folder like a dataset, with caches that a pack leaves out."""
    folder = tmp_path / "data"
    contents = {
        "index.csv": b"name\n",
        "prepared.json": b"{}",
        "units/one/pictures.bin": bytes(range(256)) * 250,
        "units/two/pictures.bin": b"",
        "motion-abc/one.npy": b"motion",
        "latents/xyz/one.npy": b"large",
        "restoration4-train-1/00000-mask.npy": b"large",
    }
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def packed(dataset: Path, out: Path) -> Pack:
    return write_pack(out, {"dataset": (dataset, dataset_files(dataset))}, SHARD)


def test_what_was_prepared_comes_back_and_caches_do_not(dataset: Path, tmp_path: Path) -> None:
    pack = packed(dataset, tmp_path / "pack")
    assert len(pack.shards) > 3 and max(shard.size for shard in pack.shards) == SHARD
    place = tmp_path / "there" / "dataset"
    place.parent.mkdir()
    unpack(tmp_path / "pack", {"dataset": place, "models": tmp_path / "unused"})
    found = {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}
    assert sorted(found) == [
        "index.csv",
        "motion-abc/one.npy",
        "prepared.json",
        "units/one/pictures.bin",
        "units/two/pictures.bin",
    ]
    assert all(data == (dataset / name).read_bytes() for name, data in found.items())


def test_the_same_data_give_the_same_pack(dataset: Path, tmp_path: Path) -> None:
    assert packed(dataset, tmp_path / "one") == packed(dataset, tmp_path / "other")


def test_what_is_there_is_left_as_it_is(dataset: Path, tmp_path: Path) -> None:
    packed(dataset, tmp_path / "pack")
    (dataset / "units" / "new").mkdir()
    unpack(tmp_path / "pack", {"dataset": dataset})
    assert (dataset / "units" / "new").exists()


def test_missing_and_damaged_shards_are_named(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    packed(dataset, folder)
    shard = folder / "00001.shard"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match=r"00001.shard.*is damaged"):
        unpack(folder, {"dataset": tmp_path / "there"})
    shard.unlink()
    with pytest.raises(InputError, match=r"00001.shard.*is missing"):
        read_pack(folder)
    assert not (tmp_path / "there").exists()
    with pytest.raises(InputError, match="is not a pack"):
        read_pack(tmp_path)


def test_a_pack_of_another_recipe_is_refused(dataset: Path, tmp_path: Path) -> None:
    packed(dataset, tmp_path / "pack")
    with pytest.raises(InputError, match="holds dataset"):
        unpack(tmp_path / "pack", {"clips": tmp_path / "there"})


def test_nothing_is_written_outside(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    pack = packed(dataset, folder)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("dataset/../../escaped"), io.BytesIO())
    (folder / pack.shards[0].name).write_bytes(buffer.getvalue())
    record = json.loads((folder / PACK_NAME).read_text())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    record["shards"] = [{"name": "00000.shard", "size": len(buffer.getvalue()), "sha256": digest}]
    (folder / PACK_NAME).write_text(json.dumps(record))
    with pytest.raises(InputError, match="not a pack that SwapTalk wrote"):
        unpack(folder, {"dataset": tmp_path / "there" / "dataset"})
    assert not (tmp_path / "escaped").exists() and not (tmp_path / "there" / "escaped").exists()


def test_a_full_folder_is_not_written_to(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="is not empty"):
        packed(dataset, tmp_path / "full")
