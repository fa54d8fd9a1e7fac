"""The data folder: database, uploads by content, a folder for each job; private to its owner."""

from __future__ import annotations

from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.serving.store.database import Database
from swaptalk.serving.store.jobs import JobStore
from swaptalk.serving.store.uploads import UploadStore


class DataFolder:
    """Opens or creates a data folder.

    Args:
        folder: where it is.

    Raises:
        InputError: the folder cannot be created or used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"
        try:
            self.jobs.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise InputError(
                f"cannot be used ({error.strerror})",
                path=folder,
                remedy="name another folder with --data",
            ) from error
        self.database = Database(folder / "swaptalk.sqlite")
        self.uploads = UploadStore(self.database, folder / "uploads")
        self.store = JobStore(self.database)
