"""API keys, stored as hashes, and browser sessions."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from dataclasses import dataclass

from swaptalk.errors import InputError
from swaptalk.serving.store.database import Database

PREFIX = "swaptalk_"
#: Owner of everything where no keys are asked for.
LOCAL_OWNER = "local"
#: A browser is asked for the key again after this time (seconds).
SESSION_SECONDS = 12 * 3600.0
#: The time of use is written at most so often (seconds), to keep polling from writing.
_USED_EVERY = 300.0


@dataclass(frozen=True)
class Key:
    """A listed key; the key itself is shown only when it is created."""

    id: str
    name: str
    created: float
    used: float | None


def _hash(secret: str) -> str:
    """Hash a key; one round of SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class KeyStore:
    """The keys of a server; each is the owner of its own uploads and jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str) -> str:
        """Create a key and return it.

        Raises:
            InputError: the name is taken.
        """
        key = PREFIX + secrets.token_urlsafe(32)
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT INTO keys VALUES (?, ?, ?, ?, NULL)",
                    (secrets.token_hex(6), name, _hash(key), time.time()),
                )
        except sqlite3.IntegrityError:
            raise InputError(
                f"there is a key named {name}", remedy="give another name, or remove it first"
            ) from None
        return key

    def list(self) -> list[Key]:
        """List all keys, oldest first."""
        rows = self._database.connection.execute(
            "SELECT id, name, created, used FROM keys ORDER BY created"
        )
        return [Key(**dict(row)) for row in rows]

    def remove(self, name: str) -> None:
        """Revoke a key; its uploads and jobs stay until they expire.

        Raises:
            InputError: there is none of this name.
        """
        with self._database.transaction() as connection:
            if not connection.execute("DELETE FROM keys WHERE name = ?", (name,)).rowcount:
                raise InputError(
                    f"there is no key named {name}", remedy="'swaptalk keys list' shows them"
                )
        self._database.forget()

    def owner(self, key: str) -> str | None:
        """Return the owner of a key; None if it is unknown."""
        row = self._database.connection.execute(
            "SELECT id, used FROM keys WHERE hash = ?", (_hash(key),)
        ).fetchone()
        if row is None:
            return None
        now = time.time()
        if row["used"] is None or now - row["used"] > _USED_EVERY:
            with self._database.transaction() as connection:
                connection.execute("UPDATE keys SET used = ? WHERE id = ?", (now, row["id"]))
        return str(row["id"])

    def begin_session(self, owner: str) -> str:
        """Start a session; return its token for a cookie that scripts cannot read."""
        token, now = secrets.token_urlsafe(32), time.time()
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sessions WHERE until < ?", (now,))
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?)",
                (_hash(token), owner, now + SESSION_SECONDS),
            )
        return token

    def session_owner(self, token: str) -> str | None:
        """Return the owner of a session; None if it has ended."""
        row = self._database.connection.execute(
            "SELECT key FROM sessions WHERE hash = ? AND until >= ?", (_hash(token), time.time())
        ).fetchone()
        return None if row is None else str(row["key"])

    def end_session(self, token: str) -> None:
        """End a session."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sessions WHERE hash = ?", (_hash(token),))
