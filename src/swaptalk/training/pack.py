"""Packs: what a recipe's training needs, in files small enough to be carried to another machine.

::

    PACK/
      pack.json        the shards with their sizes and hashes
      00000.shard ...  a tar archive, cut into pieces

The archive holds the datasets, without what is computed from them, and third-party files.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.storage.files import AtomicFile, beside
from swaptalk.storage.hashing import sha256_of
from swaptalk.training.options import from_dict, read_json

PACK_NAME = "pack.json"
#: What of a dataset is packed: what `prepare` wrote, and measured mouths, which are small.
DATASET_PARTS = ("*.csv", "*.json", "units", "motion-*")
#: Suffix of a dataset that is written or unpacked at this moment.
_UNFINISHED = ".part"


@dataclass(frozen=True)
class Shard:
    """A file of a pack."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Pack:
    """What ``pack.json`` holds."""

    folders: tuple[str, ...]
    """Names of the folders in the archive."""
    shards: tuple[Shard, ...]


def dataset_files(dataset: Path) -> list[Path]:
    """Files of a dataset that a pack holds, relative to its folder, in order."""
    found: list[Path] = []
    for pattern in DATASET_PARTS:
        for path in dataset.glob(pattern):
            inside = path.rglob("*") if path.is_dir() else [path]
            found += [file.relative_to(dataset) for file in inside if file.is_file()]
    return sorted(found)


def write_pack(
    out: Path,
    folders: Mapping[str, tuple[Path, Sequence[Path]]],
    shard_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Write a pack; the same files give the same shards.

    Args:
        out: an empty or a new folder.
        folders: by its name in the archive, a folder and files relative to it.
        shard_size: largest size of a shard in bytes.
        progress: called with (files packed, files in all).

    Raises:
        InputError: the folder is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError("is not empty", path=out, remedy="name a new folder")
    part = beside(out, _UNFINISHED)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    listed = [
        (f"{name}/{file.as_posix()}", folder / file)
        for name, (folder, files) in folders.items()
        for file in files
    ]
    writer = _ShardWriter(part, shard_size)
    with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for done, (name, path) in enumerate(listed, 1):
            entry = tarfile.TarInfo(name)  # no dates or owners: they say nothing about the data
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(entry, file)
            if progress is not None:
                progress(done, len(listed))
    pack = Pack(tuple(folders), tuple(writer.finish()))
    with AtomicFile(part / PACK_NAME) as target:
        target.part.write_text(json.dumps(asdict(pack), indent=1) + "\n")
    if out.exists():
        out.rmdir()
    part.rename(out)
    return pack


def read_pack(folder: Path) -> Pack:
    """Read ``pack.json`` and check that every shard is there as it was written.

    Raises:
        InputError: the folder is no pack, or a shard is missing or damaged.
    """
    if not (folder / PACK_NAME).is_file():
        raise InputError(
            f"is not a pack: no {PACK_NAME} in it", path=folder, remedy="check the path"
        )
    pack = from_dict(Pack, read_json(folder / PACK_NAME), folder / PACK_NAME)
    for shard in pack.shards:
        path = folder / shard.name
        if not path.is_file():
            raise InputError("is missing", path=path, remedy="copy all shards of the pack")
        if path.stat().st_size != shard.size or sha256_of(path) != shard.sha256:
            raise InputError("is damaged", path=path, remedy="copy it again")
    return pack


def unpack(folder: Path, places: Mapping[str, Path]) -> None:
    """Unpack folders of a pack; one that is there already is left as it is.

    Args:
        folder: the pack.
        places: where each of its folders goes, by name.

    Raises:
        InputError: as of `read_pack`; or the pack holds a folder that has no place, or a file that
            would be written elsewhere.
    """
    pack = read_pack(folder)
    if set(pack.folders) - set(places):
        unknown = ", ".join(sorted(set(pack.folders) - set(places)))
        raise InputError(
            f"holds {unknown}, which the recipe does not use",
            path=folder,
            remedy="name the recipe that it was made for",
        )
    wanted = {name: places[name] for name in pack.folders if not places[name].exists()}
    if not wanted:
        return
    parts = {name: beside(place, _UNFINISHED) for name, place in wanted.items()}
    for part in parts.values():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    try:
        _extract([folder / shard.name for shard in pack.shards], parts)
    except tarfile.TarError as error:
        raise InputError(
            f"is not a pack that SwapTalk wrote: {error}",
            path=folder,
            remedy="make it again with 'swaptalk train pack'",
        ) from error
    for name, part in parts.items():
        part.rename(wanted[name])


def _extract(shards: Sequence[Path], parts: Mapping[str, Path]) -> None:
    """Write the files of a pack's folders into ``parts``; nothing leads out of there."""
    reader = io.BufferedReader(_ShardReader(list(shards)))
    with tarfile.open(fileobj=reader, mode="r|") as archive:
        for entry in archive:
            name, _, inside = entry.name.partition("/")
            if name in parts:
                entry.name = inside
                archive.extract(entry, parts[name], filter="data")


class _ShardWriter(io.RawIOBase):
    """A file to write to, cut into shards."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._done: list[Shard] = []
        self._open()

    def _open(self) -> None:
        self._path = self._folder / f"{len(self._done):05d}.shard"
        self._file, self._digest, self._written = self._path.open("wb"), hashlib.sha256(), 0

    def _close(self) -> None:
        self._file.close()
        self._done.append(Shard(self._path.name, self._written, self._digest.hexdigest()))

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write bytes, into the next shard where this one is full."""
        rest = memoryview(data)
        while rest:
            if self._written == self._size:
                self._close()
                self._open()
            piece = rest[: self._size - self._written]
            self._file.write(piece)
            self._digest.update(piece)
            self._written += len(piece)
            rest = rest[len(piece) :]
        return len(data)

    def finish(self) -> list[Shard]:
        """Close the last shard; return all of them."""
        self._close()
        return self._done


class _ShardReader(io.RawIOBase):
    """The shards as one file to read."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = iter(paths)
        self._file: io.BufferedReader | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer, as far as this shard reaches; 0 after the last one."""
        while True:
            if self._file is None:
                path = next(self._paths, None)
                if path is None:
                    return 0
                self._file = path.open("rb")
            count = self._file.readinto(buffer)
            if count:
                return count
            self._file.close()
            self._file = None
