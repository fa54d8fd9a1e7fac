"""Find the footage to prepare: videos, photos, folders, tar shards, with or without ``index.csv``.

Labels come from an ``index.csv`` in the folder, else from subfolders: everything in a subfolder is
one person. Columns that matter: ``name`` (photo) or ``id`` (clip, found in the folder or its
``clips/``), ``shard`` (tar file that holds the photo), ``group`` or ``person`` or ``identity``
(whoever shares one is one person), ``set`` (names are unique within it), ``split`` (train or test),
``kind`` (real or generated), ``licence``.
"""

from __future__ import annotations

import csv
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from glob import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.store import Kind
from swaptalk.errors import InputError
from swaptalk.media.image import read_image

PHOTO_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".avif", ".tif", ".tiff"}
CLIP_ENDINGS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v"}


@dataclass(frozen=True)
class Source:
    """One photo or clip. ``member`` names a photo inside the tar file ``path``. Empty labels are
    unknown.

    Of a clip the part from ``start`` to ``end`` seconds counts; None is its end.

    ``name`` is unique and stays the same when data are added: resuming and splitting depend on it.
    """

    name: str
    path: Path
    kind: Kind
    member: str = ""
    identity: str = ""
    split: str = ""
    licence: str = ""
    start: float = 0.0
    end: float | None = None

    def read_photo(self) -> NDArray[np.uint8]:
        """Read the photo as RGB uint8 (H, W, 3).

        Raises:
            InputError: missing or damaged.
        """
        if not self.member:
            return read_image(self.path)
        try:
            file = _opened(self.path).extractfile(self.member)
            content = file.read() if file is not None else b""
        except (tarfile.TarError, KeyError, OSError) as error:
            problem = f"{self.member} cannot be taken out of it"
            raise InputError(problem, path=self.path, remedy="copy it again") from error
        with tempfile.NamedTemporaryFile(suffix=Path(self.member).suffix) as copy:
            copy.write(content)
            copy.flush()
            return read_image(copy.name)


@lru_cache(8)
def _opened(path: Path) -> tarfile.TarFile:
    """An archive whose table of contents is read once in each process."""
    return tarfile.open(path)


def find_sources(paths: Sequence[Path]) -> list[Source]:
    """Find all photos and clips under the paths, sorted by name, each once.

    Raises:
        InputError: a path does not exist or holds neither, or two sources have one name.
    """
    found: dict[str, Source] = {}
    for path in paths:
        before = len(found)
        for source in _sources_of(path):
            other = found.setdefault(source.name, source)
            if (other.path, other.member) != (source.path, source.member):
                raise InputError(
                    f"has the name {source.name} of {other.path}",
                    path=source.path,
                    remedy="rename one",
                )
        if len(found) == before:
            raise InputError("holds no photo and no video", path=path, remedy="check the path")
    return [found[name] for name in sorted(found)]


def _sources_of(path: Path) -> Iterator[Source]:
    if not path.exists():
        raise InputError("no such file or folder", path=path, remedy="check the path")
    if path.is_dir():
        index = path / "index.csv"
        yield from _indexed(index) if index.exists() else _folder(path)
    elif path.suffix.lower() == ".tar":
        yield from _archive(path, path.stem)
    elif (kind := _kind(path)) is not None:
        yield Source(path.name, path, kind)


def _kind(path: Path) -> Kind | None:
    ending = path.suffix.lower()
    return "photo" if ending in PHOTO_ENDINGS else "real" if ending in CLIP_ENDINGS else None


def _folder(root: Path) -> Iterator[Source]:
    """Find photos, clips and tar files below; a subfolder is one person."""
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        inside = path.relative_to(root)
        identity = inside.parts[0] if len(inside.parts) > 1 else ""
        name = f"{root.name}/{inside.as_posix()}"
        if path.suffix.lower() == ".tar":
            yield from _archive(path, name)
        elif (kind := _kind(path)) is not None:
            yield Source(name, path, kind, identity=f"{root.name}/{identity}" if identity else "")


def _archive(path: Path, name: str) -> Iterator[Source]:
    """Find the photos of a tar file; a folder inside it is one person."""
    try:
        with tarfile.open(path) as archive:
            members = sorted(m.name for m in archive if m.isfile())
    except (tarfile.TarError, OSError) as error:
        raise InputError("is not a readable tar file", path=path, remedy="copy it again") from error
    for member in members:
        if Path(member).suffix.lower() in PHOTO_ENDINGS:
            folder = Path(member).parent.name
            yield Source(
                f"{name}/{member}", path, "photo", member, f"{name}/{folder}" if folder else ""
            )


def _indexed(index: Path) -> Iterator[Source]:
    root = index.parent
    for row in _rows(index):
        label = row.get("group") or row.get("person") or row.get("identity") or ""
        prefix = row.get("set") or root.name
        identity = f"{prefix}:{label}" if label else ""
        split, licence = row.get("split") or "", row.get("licence") or ""
        listed = row.get("name") or row.get("id") or ""
        if row.get("shard"):
            yield Source(
                f"{prefix}/{listed}",
                root / _inside(index, row["shard"]),
                "photo",
                listed,
                identity,
                split,
                licence,
            )
            continue
        path = _file_of(root, _inside(index, listed))
        kind = _kind(path)
        if kind == "real" and row.get("kind") == "generated":
            kind = "generated"
        if kind is not None:
            yield Source(f"{root.name}/{path.name}", path, kind, "", identity, split, licence)


def _rows(index: Path) -> Iterator[dict[str, str]]:
    with index.open(newline="", encoding="utf-8") as file:
        try:
            yield from csv.DictReader(file)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"is not a table ({error})", path=index, remedy="save it as CSV in UTF-8"
            ) from error


def _inside(index: Path, name: str) -> str:
    """Check that a name from an index, which may be untrusted, stays inside its folder."""
    if "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(
            f"lists {name!r}, which is not in its folder",
            path=index,
            remedy="correct or remove the row",
        )
    return name


def _file_of(root: Path, name: str) -> Path:
    """Return a row's file: named in full, or by its stem, in the folder or in ``clips/``."""
    for folder in (root, root / "clips"):
        if name and (folder / name).is_file():
            return folder / name
        matches = sorted(folder.glob(f"{escape(name)}.*")) if name else []
        if matches:
            return matches[0]
    raise InputError(
        f"lists {name or 'a row without name or id'}, which is not there",
        path=root / "index.csv",
        remedy="copy the missing file or remove the row",
    )
