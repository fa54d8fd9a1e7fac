"""Catalogue of third-party files: pinned, fetched on first use, verified, cached.

Each file is pinned in ``assets.json`` by package, version, member, size and SHA-256. None of them
ships with SwapTalk; :func:`resolve` takes it out of the package that carries it. Two environment
variables matter: ``SWAPTALK_CACHE_DIR`` moves the cache, ``SWAPTALK_MODELS_DIR`` names a folder
that holds the files already (a copy of a cache, or made with ``swaptalk models pull --to``), from
which they are then taken and nothing is ever downloaded.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Literal, cast

from swaptalk.assets.packages import Package, fetch_archive
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.storage.cache import CACHE_VARIABLE, cache_folder
from swaptalk.storage.hashing import BLOCK, sha256_of

OFFLINE_VARIABLE = "SWAPTALK_MODELS_DIR"

Use = Literal["run-time", "training", "evaluation", "tests"]
Status = Literal["ready", "missing", "damaged"]

_STAGING_PREFIX = ".staging-"
#: A staging folder this old belongs to a process that was killed (seconds).
_STAGING_EXPIRY = 24 * 3600.0
#: The pins: packages, and the files that are taken out of them.
PINS = Path(__file__).with_name("assets.json")
# Two threads that want the same file fetch it once; two processes may both fetch it, and the last
# rename wins.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Part:
    """A member of a package's archive."""

    package: Package
    member: str


@dataclass(frozen=True)
class Asset:
    """One pinned file; several ``parts`` are joined in order. ``size`` in bytes, ``sha256`` in
    hexadecimal.
    """

    name: str
    file: str
    use: Use
    purpose: str
    licence: str
    size: int
    sha256: str
    parts: tuple[Part, ...]


@cache
def _pins(path: Path) -> dict[str, Asset]:
    pinned = json.loads(path.read_text(encoding="utf-8"))
    packages = {name: Package(name=name, **fields) for name, fields in pinned["packages"].items()}
    assets = {}
    for name, fields in pinned["assets"].items():
        parts = tuple(
            Part(packages[part["package"]], part["member"]) for part in fields.pop("parts")
        )
        assets[name] = Asset(name=name, parts=parts, **fields)
    return assets


def catalogue(use: Use | None = None) -> tuple[Asset, ...]:
    """Return all pinned files, or those of one use, in the order of the catalogue."""
    return tuple(asset for asset in _pins(PINS).values() if use is None or asset.use == use)


def get(name: str) -> Asset:
    """Return a pinned file by name.

    Raises:
        InputError: there is no file of that name.
    """
    pins = _pins(PINS)
    if name not in pins:
        near = difflib.get_close_matches(name, pins, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(
            f"unknown model file '{name}'", remedy=f"{hint}known names: {', '.join(pins)}"
        )
    return pins[name]


def cache_directory() -> Path:
    """Return the folder of fetched files, in ``SWAPTALK_CACHE_DIR`` or the user's cache folder."""
    return cache_folder("models")


def offline_directory() -> Path | None:
    """Return the folder named by ``SWAPTALK_MODELS_DIR``, or None.

    Raises:
        InputError: it is not a folder.
    """
    chosen = os.environ.get(OFFLINE_VARIABLE)
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"{OFFLINE_VARIABLE} does not name a folder",
            path=folder,
            remedy="correct the variable or unset it",
        )
    return folder


@contextmanager
def only_from(folder: Path) -> Iterator[None]:
    """Take files from this folder alone within a ``with`` block, as ``SWAPTALK_MODELS_DIR`` does;
    processes started there do so, too.
    """
    before = os.environ.get(OFFLINE_VARIABLE)
    os.environ[OFFLINE_VARIABLE] = str(folder.resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ[OFFLINE_VARIABLE]
        else:
            os.environ[OFFLINE_VARIABLE] = before


def status(asset: Asset, folder: Path | None = None) -> Status:
    """Return the state of a file in ``folder`` (default: the offline folder, else the cache)."""
    path = (folder or offline_directory() or cache_directory()) / asset.file
    if not path.is_file():
        return "missing"
    return (
        "ready"
        if path.stat().st_size == asset.size and sha256_of(path) == asset.sha256
        else "damaged"
    )


def resolve(name: str, *, progress: bool = True) -> Path:
    """Return the path of a pinned file; fetch it if it is missing, verify it on every call.

    Args:
        name: a name from :func:`catalogue`, such as ``face-mesh``.
        progress: show a progress bar on a terminal while fetching.

    Raises:
        InputError: unknown name.
        SwapTalkError: the file cannot be fetched, is not the pinned one, or is absent from the
            offline folder.
    """
    return resolve_all([name], progress=progress)[name]


def resolve_all(names: Iterable[str], *, progress: bool = True) -> dict[str, Path]:
    """Resolve several files: fetch each package once; one error names all missing files."""
    return pull([get(name) for name in names], progress=progress)


def pull(
    wanted: Iterable[Asset], folder: Path | None = None, *, progress: bool = True
) -> dict[str, Path]:
    """Fetch files into ``folder`` (default: offline folder, else cache); return their paths.

    Raises:
        SwapTalkError: as :func:`resolve`; what was fetched whole before the failure stays.
    """
    assets = list(wanted)
    offline = offline_directory()
    if offline is not None and folder is None:
        _require_offline(assets, offline)
        return {asset.name: offline / asset.file for asset in assets}
    target = folder or cache_directory()
    with _LOCK:
        absent = [asset for asset in assets if status(asset, target) != "ready"]
        if absent and offline is not None:
            _require_offline(absent, offline)
            with _staging(target) as staging:
                for asset in absent:
                    _install(
                        shutil.copyfile(offline / asset.file, staging / asset.file), asset, target
                    )
        elif absent:
            _fetch(absent, target, progress)
    return {asset.name: target / asset.file for asset in assets}


def _require_offline(assets: list[Asset], folder: Path) -> None:
    states = {asset: status(asset, folder) for asset in assets}
    problems = []
    for wrong, word in (("missing", "lacks"), ("damaged", "holds the wrong content for")):
        files = [asset.file for asset, state in states.items() if state == wrong]
        if files:
            problems.append(f"{word} {', '.join(files)}")
    if problems:
        names = " ".join(asset.name for asset, state in states.items() if state != "ready")
        raise SwapTalkError(
            f"the offline folder {' and '.join(problems)}",
            path=folder,
            remedy=f"run 'swaptalk models pull {names} --to DIR' on a machine with a network and "
            "copy the files here, "
            f"or unset {OFFLINE_VARIABLE}",
        )


def _fetch(assets: list[Asset], target: Path, progress: bool) -> None:
    """Fetch every package once, and install each file when all its parts are there."""
    with _staging(target) as staging:
        archives: dict[Package, Path] = {}
        order = _by_package(assets)
        last_use = {part.package: asset.name for asset in order for part in asset.parts}
        for asset in order:
            joined = staging / asset.file
            with joined.open("wb") as output:
                for part in asset.parts:
                    if part.package not in archives:
                        room = staging / f"package-{len(archives)}"
                        room.mkdir()
                        archives[part.package] = fetch_archive(
                            part.package, room, progress=progress
                        )
                    _copy_member(archives[part.package], part, output, asset.size)
            _install(joined, asset, target)
            for package, name in last_use.items():
                if name == asset.name and package in archives:
                    archives[package].unlink()


def _by_package(assets: list[Asset]) -> list[Asset]:
    """Order assets by package, to keep few archives on disk at a time."""
    order: dict[str, int] = {}
    for asset in assets:
        order.setdefault(asset.parts[0].package.name, len(order))
    return sorted(assets, key=lambda asset: order[asset.parts[0].package.name])


def _copy_member(archive: Path, part: Part, output: IO[bytes], limit: int) -> None:
    """Append a member of a wheel or tar archive to ``output``; at most ``limit`` bytes may be in it
    afterwards.
    """
    try:
        with _open_member(archive, part) as member:
            while block := member.read(BLOCK):
                if output.tell() + len(block) > limit:
                    raise SwapTalkError(
                        f"{part.member} of {part.package} is larger than pinned: it was refused",
                        remedy="check the index or mirror that your package client uses",
                    )
                output.write(block)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise SwapTalkError(
            f"{part.package} holds no readable {part.member} ({error})",
            remedy="check the index or mirror that your package client uses",
        ) from error


@contextmanager
def _open_member(archive: Path, part: Part) -> Iterator[IO[bytes]]:
    """Open one member for reading; nothing is unpacked to disk by its own name, so no name can lead
    elsewhere.
    """
    if part.package.kind == "wheel":
        with zipfile.ZipFile(archive) as wheel, wheel.open(part.member) as member:
            yield member
    else:
        with tarfile.open(archive) as tar:
            opened = tar.extractfile(part.member)
            if opened is None:
                raise KeyError("not a regular file")
            with opened:
                yield opened


def _install(staged: str | Path, asset: Asset, target: Path) -> None:
    """Verify a staged file and move it to its place in one step."""
    staged = Path(staged)
    with staged.open("rb+") as file:
        os.fsync(file.fileno())
    found = sha256_of(staged)
    if found != asset.sha256:
        raise SwapTalkError(
            f"{asset.name} from {asset.parts[0].package} has SHA-256 {found}, "
            f"expected {asset.sha256}: "
            "it was refused",
            remedy="check the index or mirror that your package client uses",
        )
    try:
        os.replace(staged, target / asset.file)
    except PermissionError:
        # Windows: another process has the same file open, because it was quicker.
        if status(asset, target) != "ready":
            raise


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """Make a private folder beside the files for the time of a ``with`` block.

    Raises:
        SwapTalkError: ``target`` cannot be written, or the disk is full.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        for old in target.glob(_STAGING_PREFIX + "*"):
            if time.time() - old.stat().st_mtime > _STAGING_EXPIRY:
                shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(
            prefix=_STAGING_PREFIX, dir=target, ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder)
    except OSError as error:
        raise SwapTalkError(
            f"cannot store model files here ({error.strerror or error})",
            path=target,
            remedy=f"make room or set {CACHE_VARIABLE} to a folder that can be written",
        ) from error


def as_record(asset: Asset, folder: Path | None = None) -> dict[str, object]:
    """Return a pinned file and its state as values for JSON."""
    place = folder or offline_directory() or cache_directory()
    return {
        "name": asset.name,
        "use": asset.use,
        "purpose": asset.purpose,
        "licence": asset.licence,
        "size": asset.size,
        "sha256": asset.sha256,
        "packages": [
            f"{part.package.registry}:{part.package.name}=={part.package.version}"
            for part in asset.parts
        ],
        "members": [part.member for part in asset.parts],
        "status": cast(str, status(asset, place)),
        "path": str(place / asset.file),
    }
