"""Receive an upload: count and hash it, and stop it if it is too large or too slow."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import ClientDisconnect

from swaptalk.serving.http.context import Context
from swaptalk.serving.http.problems import ProblemError, invalid

#: Seconds that may pass without a byte.
IDLE_SECONDS = 20.0
#: After this many seconds an upload must have kept up this average (bytes a second): a poor mobile
#: line does.
PATIENCE_SECONDS, SLOWEST_RATE = 30.0, 4096
#: The disk is looked at again after so many bytes.
_CHECK_BYTES = 32 << 20


def check_announced(length: str | None, server: Context) -> None:
    """Refuse by the ``Content-Length`` header alone, before a byte is read.

    Raises:
        ProblemError: 413, 507.
    """
    server.check_room()
    if (
        length is not None
        and length.isdecimal()
        and int(length[:20]) > server.settings.upload_bytes
    ):
        raise _too_large(server)


def _too_large(server: Context) -> ProblemError:
    most = server.settings.upload_bytes
    return ProblemError(
        413,
        "upload-too-large",
        "The file is too large",
        f"A file may have at most {most} bytes.",
        field="body",
        limit=most,
        remedy="Send a shorter or more strongly compressed file.",
    )


async def receive_file(stream: AsyncIterator[bytes], part: Path, server: Context) -> str:
    """Write a request's body to ``part``, durably.

    Returns:
        SHA-256 of the contents.

    Raises:
        ProblemError: empty, too large, too slow, or broken off; nothing is left behind.
    """
    clock = asyncio.get_running_loop().time
    digest, size, checked, begun = hashlib.sha256(), 0, 0, clock()
    try:
        with part.open("wb") as file:
            while chunk := await _next(stream):
                size += len(chunk)
                if size > server.settings.upload_bytes:
                    raise _too_large(server)
                if size - checked > _CHECK_BYTES:
                    server.check_room()
                    checked = size
                elapsed = clock() - begun
                if elapsed > PATIENCE_SECONDS and size / elapsed < SLOWEST_RATE:
                    raise _too_slow(
                        f"less than {SLOWEST_RATE} bytes a second arrived", SLOWEST_RATE
                    )
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        if size == 0:
            raise invalid(
                "body", "The file is empty.", remedy="Send the file's bytes as the request's body."
            )
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


async def _next(stream: AsyncIterator[bytes]) -> bytes:
    """The next bytes; none at the end."""
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, b""), IDLE_SECONDS)
        except asyncio.TimeoutError:
            raise _too_slow(
                f"nothing arrived for {IDLE_SECONDS:.0f} seconds", IDLE_SECONDS
            ) from None
        except ClientDisconnect:
            raise ProblemError(
                400,
                "broken-off",
                "The upload broke off",
                "The connection was closed before the announced end.",
                field="body",
            ) from None
        return chunk


def _too_slow(detail: str, limit: float) -> ProblemError:
    return ProblemError(
        408,
        "upload-too-slow",
        "The upload is too slow",
        f"{detail[:1].upper()}{detail[1:]}.",
        {"Connection": "close"},
        field="body",
        limit=limit,
        remedy="Send it again on a better line.",
    )
