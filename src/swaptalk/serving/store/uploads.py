"""Uploaded files: stored once by content, listed by owner, deleted with the last owner."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from swaptalk.serving.store.database import Database

UploadKind = Literal["photo", "video", "audio"]
#: Longest name that is kept; longer ones lose their beginning, not their ending.
NAME_LENGTH = 200


class UploadNotFoundError(LookupError):
    """The upload does not exist, or belongs to somebody else."""


class UploadBusyError(Exception):
    """A job that has not ended needs the upload."""


class DiskQuotaError(Exception):
    """The owner's disk quota is used up."""


@dataclass(frozen=True)
class Upload:
    """One file of one owner. ``id`` is the SHA-256 of its contents, ``media`` what was read from
    its headers.
    """

    id: str
    owner: str
    name: str
    kind: UploadKind
    bytes: int
    media: dict[str, Any]
    created: float
    used: float


def _upload_from(row: sqlite3.Row) -> Upload:
    values = {name: row[name] for name in Upload.__dataclass_fields__}
    return Upload(**{**values, "media": json.loads(values["media"])})


def clean_name(name: str) -> str:
    """Return the last part of a path, without control characters; for display only."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return (
        "".join(character for character in last if character.isprintable()).strip()[-NAME_LENGTH:]
        or "unnamed"
    )


class UploadStore:
    """The uploads of all users.

    Args:
        database: where they are listed.
        folder: where their contents lie, each under its hash.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._folder = database, folder
        self.incoming.mkdir(parents=True, exist_ok=True)

    @property
    def incoming(self) -> Path:
        """Folder of uploads that are not complete."""
        return self._folder / "incoming"

    def part(self) -> Path:
        """A new name for an upload that begins."""
        return self.incoming / f"{secrets.token_hex(16)}.part"

    def path(self, upload: str) -> Path:
        """Where the contents of an upload lie; ``upload`` must come from the database."""
        return self._folder / upload[:2] / upload

    def add(
        self,
        owner: str,
        name: str,
        kind: UploadKind,
        part: Path,
        digest: str,
        media: Mapping[str, Any],
        room: int,
    ) -> tuple[Upload, bool]:
        """Add a complete file.

        Args:
            owner: whose it is.
            name: what the user calls it now; jobs keep the name of their time.
            kind: what it is.
            part: the file, durable; it is moved, or deleted if its contents are here already.
            digest: SHA-256 of its contents.
            media: what is in it.
            room: bytes that the owner may have altogether.

        Returns:
            The upload, and whether this owner did not have it.

        Raises:
            DiskQuotaError: it does not fit into ``room``.
        """
        size, now = part.stat().st_size, time.time()
        place = self.path(digest)
        place.parent.mkdir(exist_ok=True)
        with self._database.transaction() as connection:
            known = connection.execute(
                "SELECT 1 FROM uploads WHERE id = ? AND owner = ?", (digest, owner)
            ).fetchone()
            if known is None and used_bytes(connection, owner) + size > room:
                raise DiskQuotaError(owner)
            if place.exists():
                part.unlink()
            else:
                part.replace(place)
                sync_folder(place.parent)
            connection.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id, owner) DO UPDATE SET used = excluded.used, name = "
                "excluded.name",
                (digest, owner, clean_name(name), kind, size, json.dumps(media), now, now),
            )
        return self.get(owner, digest), known is None

    def get(self, owner: str, upload: str) -> Upload:
        """One upload.

        Raises:
            UploadNotFoundError: none of this owner has the name.
        """
        row = self._database.connection.execute(
            "SELECT * FROM uploads WHERE id = ? AND owner = ?", (upload, owner)
        ).fetchone()
        if row is None:
            raise UploadNotFoundError(upload)
        return _upload_from(row)

    def newest(self, owner: str, limit: int = 100) -> list[Upload]:
        """The owner's uploads, those used last first."""
        rows = self._database.connection.execute(
            "SELECT * FROM uploads WHERE owner = ? ORDER BY used DESC LIMIT ?", (owner, limit)
        )
        return [_upload_from(row) for row in rows]

    def touch(self, owner: str, upload: str) -> None:
        """Record a use: retention counts from now."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE uploads SET used = ? WHERE id = ? AND owner = ?",
                (time.time(), upload, owner),
            )

    def remove(self, owner: str, upload: str) -> None:
        """Remove an upload; delete its contents if nobody else has it.

        Raises:
            UploadNotFoundError: none of this owner has the name.
            UploadBusyError: a job that has not ended needs it.
        """
        with self._database.transaction() as connection:
            needed = connection.execute(
                "SELECT 1 FROM job_inputs JOIN jobs ON jobs.id = job WHERE upload = ? AND "
                "jobs.owner = ?"
                " AND state IN ('queued', 'running') AND kind != 'inspect'",
                (upload, owner),
            ).fetchone()
            if needed is not None:
                raise UploadBusyError(upload)
            deleted = connection.execute(
                "DELETE FROM uploads WHERE id = ? AND owner = ?", (upload, owner)
            ).rowcount
            if not deleted:
                raise UploadNotFoundError(upload)
            if (
                connection.execute("SELECT 1 FROM uploads WHERE id = ?", (upload,)).fetchone()
                is None
            ):
                self.path(upload).unlink(missing_ok=True)
        self._database.forget()

    def unused_since(self, moment: float) -> list[Upload]:
        """Uploads of all owners that were last used before a time and that no job refers to but its
        inspection.
        """
        rows = self._database.connection.execute(
            "SELECT * FROM uploads WHERE used < ? AND NOT EXISTS (SELECT 1 FROM job_inputs JOIN "
            "jobs ON jobs.id = job"
            " WHERE upload = uploads.id AND jobs.owner = uploads.owner AND jobs.kind != 'inspect')",
            (moment,),
        )
        return [_upload_from(row) for row in rows]

    def used_bytes(self, owner: str) -> int:
        """Return the disk space of the owner's uploads and results."""
        return used_bytes(self._database.connection, owner)

    def sweep(self, older_than: float) -> None:
        """Delete old files without a row, left by dead processes."""
        with self._database.transaction() as connection:
            known = {row["id"] for row in connection.execute("SELECT DISTINCT id FROM uploads")}
            for path in self._folder.glob("??/*"):
                if path.name not in known and path.stat().st_mtime < older_than:
                    path.unlink(missing_ok=True)
        for path in self.incoming.glob("*.part"):
            if path.stat().st_mtime < older_than:
                path.unlink(missing_ok=True)


def used_bytes(connection: sqlite3.Connection, owner: str) -> int:
    """See :meth:`UploadStore.used_bytes`."""
    row = connection.execute(
        "SELECT (SELECT coalesce(sum(bytes), 0) FROM uploads WHERE owner = ?1) + (SELECT"
        " coalesce(sum(json_extract(result, '$.bytes')), 0) FROM jobs WHERE owner = ?1 AND state = "
        "'done')",
        (owner,),
    ).fetchone()
    return int(row[0])


def sync_folder(folder: Path) -> None:
    """Sync a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
