"""Deliver webhooks of ended jobs, as the Standard Webhooks specification says.

Deliveries are rows, written in the transaction that ends the job: none is lost when the server
dies, and one may arrive twice, with the same ``webhook-id``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from swaptalk.serving.store.database import Database

TIMEOUT_SECONDS = 10.0
#: Waits before a delivery is tried again, in seconds; after the last one it is given up.
RETRIES = (5.0, 30.0, 300.0, 1800.0, 7200.0)
_SECRET_PREFIX = "whsec_"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A receiver may not send us on to a host that was not allowed."""

    def redirect_request(self, *arguments: Any) -> None:
        """Follow none."""


_OPENER = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))


def is_allowed(url: str, hosts: Iterable[str]) -> bool:
    """Whether an address is http(s) on one of the hosts (``name`` or ``name:port``) that the
    operator named.

    Only named hosts are called: what users give must not make the server send requests into its own
    network.
    """
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        return False
    if (
        parts.scheme not in ("http", "https")
        or not name
        or "@" in parts.netloc
        or not url.isascii()
        or any(character <= " " for character in url)
    ):
        return False
    known = {host.lower() for host in hosts}
    return (name in known and port is None) or f"{name}:{port}" in known


def webhook_secret(database: Database) -> str:
    """Return the secret that signs all deliveries; it is made on first use."""
    with database.transaction() as connection:
        row = connection.execute("SELECT value FROM secrets WHERE name = 'webhook'").fetchone()
        if row is not None:
            return str(row["value"])
        value = _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        connection.execute("INSERT INTO secrets VALUES ('webhook', ?)", (value,))
        return value


def signature(secret: str, message: str, timestamp: int, body: str) -> str:
    """Value of the header ``webhook-signature``."""
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    digest = hmac.new(key, f"{message}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def deliver_due(database: Database, hosts: Iterable[str]) -> int:
    """Try every due delivery; return how many arrived."""
    hosts = tuple(hosts)
    rows = database.connection.execute(
        "SELECT * FROM deliveries WHERE next <= ? ORDER BY next LIMIT 20", (time.time(),)
    ).fetchall()
    arrived = 0
    for row in rows:
        ok = is_allowed(row["url"], hosts) and _send(
            row["url"], row["id"], row["body"], webhook_secret(database)
        )
        arrived += ok
        with database.transaction() as connection:
            if ok or row["attempts"] >= len(RETRIES):
                connection.execute("DELETE FROM deliveries WHERE id = ?", (row["id"],))
            else:
                connection.execute(
                    "UPDATE deliveries SET attempts = attempts + 1, next = ? WHERE id = ?",
                    (time.time() + RETRIES[row["attempts"]], row["id"]),
                )
    return arrived


def _send(url: str, message: str, body: str, secret: str) -> bool:
    now = int(time.time())
    request = urllib.request.Request(
        url,
        body.encode(),
        {
            "Content-Type": "application/json",
            "User-Agent": "swaptalk",
            "webhook-id": message,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(secret, message, now, body),
        },
        method="POST",
    )
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            return bool(200 <= response.status < 300)
    except (OSError, ValueError):  # URLError and HTTPError are OSErrors; ValueError: an odd answer
        return False
