"""Checks that need the file system: outputs, disk space, changed inputs."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.media.output_format import FORMATS
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.option_values import rate_factor
from swaptalk.storage.files import followed, longest_name

VIDEO_SUFFIXES = tuple(FORMATS)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
#: Rule of thumb for H.264 of talking people at a constant rate factor of 20: bits for every pixel
#: of every frame; six steps of the factor double or halve it. The other codecs need less.
BITS_PER_PIXEL, RATED_FACTOR, STEPS_PER_DOUBLING = 0.12, 20, 6
#: Bits a pixel of what has no rate factor: ProRes 4444, and lossless H.264.
OTHER_BITS = {"prores": 5.0, None: 6.0}
#: Room that must stay free on the disk, in bytes.
DISK_RESERVE = 64 << 20


def check_output(
    path: Path,
    suffixes: tuple[str, ...],
    inputs: Iterable[Path],
    create_folder: bool = False,
) -> None:
    """Refuse an output that cannot be written or that would destroy an input, before any work is
    done.

    Args:
        path: of the output.
        suffixes: endings that it may have.
        inputs: files that it must not be.
        create_folder: its folder need not be there yet.

    Raises:
        InputError: unknown kind of file, missing folder, a folder itself, equal to an input, or not
            writable.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"cannot write a file ending in '{path.suffix}'",
            path=path,
            remedy=f"let the name end in {', '.join(suffixes)}",
        )
    length, most = len(os.fsencode(path.name)), longest_name(path.parent)
    if length > most:
        raise InputError(
            f"the name has {length} bytes where {most} fit",
            path=path,
            remedy="give a shorter name",
        )
    try:
        place = followed(path)
    except OSError as error:
        raise InputError(
            f"not writable ({error.strerror})", path=path, remedy="write to another file"
        ) from None
    folders = {path.parent, place.parent}
    if create_folder:
        folders = {existing(folder) for folder in folders}
    if place.is_dir():
        raise InputError("is a folder", path=path, remedy="give the name of a file in it")
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                "the folder does not exist", path=path, remedy=f"create {folder} first"
            )
    for other in inputs:
        if path.exists() and other.exists() and path.samefile(other):
            raise InputError(
                "is an input of this job too", path=path, remedy="write to another file"
            )
    try:
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError("the file is write-protected")
        for folder in folders:
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise InputError(
            f"not writable ({error.strerror or error})",
            path=path,
            remedy="choose a folder you may write to",
        ) from None


def existing(folder: Path) -> Path:
    """Return the folder, or its nearest existing parent."""
    return next((one for one in (folder, *folder.parents) if one.exists()), folder)


def check_distinct(outputs: Iterable[Path | None]) -> None:
    """Refuse two outputs with one name.

    Raises:
        InputError: naming the file.
    """
    seen: set[Path] = set()
    for path in outputs:
        if path is None:
            continue
        if path.resolve() in seen:
            raise InputError(
                "is asked for as two outputs", path=path, remedy="give each its own file"
            )
        seen.add(path.resolve())


def video_bytes(width: int, height: int, frames: int, codec: str | None, quality: str) -> int:
    """Estimate the size of an encoded video; None is an animated picture, made from lossless
    video.
    """
    if codec in OTHER_BITS:
        bits = OTHER_BITS[codec]
    else:
        factor = rate_factor(quality, str(codec))
        bits = BITS_PER_PIXEL * 2 ** ((RATED_FACTOR - factor) / STEPS_PER_DOUBLING)
    return int(width * height * frames * bits / 8)


def check_disk(output: Path, needed: int) -> None:
    """Refuse a job whose files (``needed`` bytes) would not fit beside the output.

    Raises:
        InputError: with what is needed and what is free.
    """
    free = shutil.disk_usage(existing(output.parent)).free
    if needed + DISK_RESERVE > free:
        raise InputError(
            f"the job needs about {_megabytes(needed + DISK_RESERVE)}, {_megabytes(free)} are free",
            path=output.parent,
            remedy="free some space, write elsewhere, or ask for less with --end, --resolution or "
            "--quality",
        )


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Convert a full disk during a write to an error for the user.

    Raises:
        InputError: the disk, or the user's share of it, is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            remedy = "free some space or write to another disk"
            raise InputError("the disk is full", path=folder, remedy=remedy) from error
        raise


class ChangedInputError(InputError):
    """An input changed during the job; finished chunks belong to the old file."""


@contextmanager
def unchanged(inputs: Iterable[InputFile]) -> Iterator[Callable[[], None]]:
    """Detect changes of a file while a job reads it.

    Yields:
        A check, for when all has been read. An error in the block is explained by the change if
        there was one.

    Raises:
        ChangedInputError: naming the file.
    """
    files = tuple(inputs)
    for file in files:
        _ = file.fingerprint  # now, if nobody has asked for it yet

    def check() -> None:
        for file in files:
            if file.has_changed():
                raise ChangedInputError(
                    "changed while the job was reading it",
                    path=file.path,
                    remedy="let nobody write to it, and start the job anew without --resume",
                )

    try:
        yield check
    except Exception:
        check()
        raise


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
