"""Check input files before decoding, and write output files atomically."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from swaptalk.errors import InputError, SwapTalkError


def check_input_file(path: str | Path) -> Path:
    """Return ``path`` if it is a readable, non-empty file.

    Raises:
        InputError: missing, a folder or device, empty, or not readable.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise InputError("no such file", path=path, remedy="check the path")
        if not path.is_file():
            raise InputError("not a file", path=path, remedy="name a media file")
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError("the file is empty", path=path, remedy="copy or download it again")
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = (
            error.strerror
            if isinstance(error, OSError) and error.strerror
            else "the path is not valid"
        )
        raise InputError(
            f"cannot be read ({reason})", path=path, remedy="check path and permissions"
        ) from error
    return path


def output_error(error: OSError, path: Path) -> SwapTalkError:
    """Make the error that says why ``path`` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(
            "the disk is full", path=path, remedy="free some space or write to another disk"
        )
    reason = error.strerror or type(error).__name__
    return InputError(
        f"cannot be written ({reason})", path=path, remedy="choose a folder you may write to"
    )


#: Bytes that the name of a file may have where the system does not say.
_NAME_BYTES = 255


def longest_name(folder: Path) -> int:
    """Bytes that the name of a file in a folder may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return _NAME_BYTES


def beside(path: Path, suffix: str) -> Path:
    """Path of a working file or folder beside another one: ``<name><suffix>``, or a short name made
    of a hash where that would be too long.
    """
    name = path.name + suffix
    if len(os.fsencode(name)) > longest_name(path.parent):
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}{suffix}"
    return path.with_name(name)


def followed(path: Path) -> Path:
    """Where a symbolic link leads, whether or not there is a file yet; other paths as they are.

    Raises:
        OSError: links lead in a circle.
    """
    if not path.is_symlink():
        return path
    try:
        return path.resolve(strict=False)
    except RuntimeError as error:  # Python before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


@contextmanager
def replacing(path: Path, *, durable: bool = True, shared: bool = False) -> Iterator[Path]:
    """Write a file beside its place, and give it its name when the block ends without an error.

    Readers see the old file or the whole new one.

    Args:
        path: the file's place.
        durable: sync file and folder, so that this holds after a power cut, too.
        shared: several processes may write this file at once; each then has a part of its own.

    Yields:
        Path of the part to write.

    Raises:
        OSError: the place cannot be written.
    """
    part = beside(path, f".{os.getpid()}.part" if shared else ".part")
    try:
        yield part
        put_in_place(part, path, durable=durable)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def put_in_place(part: Path, path: Path, *, durable: bool = True) -> None:
    """Rename a finished part; ``durable`` syncs the file before and its folder after."""
    if durable:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
    part.replace(path)
    if durable and os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class AtomicFile:
    """Write a file under another name (:func:`beside`) and rename it when it is complete.

    A symbolic link is followed, not replaced.

    Use as a context manager, or call :meth:`commit` or :meth:`discard`. Readers see the old file or
    the whole new one, also after a power cut (file and folder are synced).

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path = followed(self.path)
            self.part = beside(self.path, ".part")
            if self.path.is_dir():
                raise InputError("is a folder", path=self.path, remedy="name a file to write")
            self.part.write_bytes(b"")
        except OSError as error:
            raise output_error(error, self.path) from error

    def commit(self) -> None:
        """Sync the part and rename it."""
        try:
            put_in_place(self.part, self.path)
        except OSError as error:
            self.discard()
            raise output_error(error, self.path) from error

    def discard(self) -> None:
        """Remove the part; an existing file stays unchanged."""
        self.part.unlink(missing_ok=True)

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
            return
        self.discard()
        if isinstance(error, OSError):
            raise output_error(error, self.path) from error


def write_atomically(path: Path, text: str) -> None:
    """Write a small UTF-8 text file whole or not at all, also after a power cut.

    Raises:
        InputError: the place cannot be written.
    """
    with AtomicFile(path) as file:
        file.part.write_text(text, encoding="utf-8")
