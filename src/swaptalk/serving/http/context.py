"""Context of the routes: data folder, settings, owner of a request."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from swaptalk.serving.http.events import Changes
from swaptalk.serving.http.metrics import Metrics
from swaptalk.serving.http.problems import ProblemError
from swaptalk.serving.http.request_guard import needs_key
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.keys import LOCAL_OWNER, KeyStore

#: Texts that are spoken at a time: each takes a processor core.
MOST_SPEAKERS = 2
SESSION_COOKIE = "swaptalk_session"


@dataclass(frozen=True)
class Context:
    """Everything that lives as long as the server."""

    settings: ServeOptions
    data: DataFolder
    keys: KeyStore
    changes: Changes
    metrics: Metrics
    speakers: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST_SPEAKERS)
    )
    """Taken while a text is spoken."""

    def check_room(self) -> None:
        """Refuse uploads and jobs while the disk is nearly full.

        Raises:
            ProblemError: 507.
        """
        reserve = self.settings.reserve_bytes
        if shutil.disk_usage(self.data.folder).free < reserve:
            raise ProblemError(
                507,
                "disk-full",
                "The server's disk is full",
                "Nothing new is accepted until whoever runs the server has made room.",
                limit=reserve,
            )


def context(request: Request) -> Context:
    """The running server's context."""
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


Server = Annotated[Context, Depends(context)]


def owner(request: Request, server: Server) -> str:
    """Identify the owner: the API key in ``Authorization``, or a browser session.

    Raises:
        ProblemError: 401 where a key is needed and none, or a wrong one, was given.
    """
    if not needs_key(server.settings):
        return LOCAL_OWNER
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    found = server.keys.owner(key.strip()) if kind.lower() == "bearer" else None
    cookie = request.cookies.get(SESSION_COOKIE)
    if found is None and cookie is not None:
        found = server.keys.session_owner(cookie)
    if found is None:
        raise ProblemError(
            401,
            "no-key",
            "An API key is needed",
            "Send 'Authorization: Bearer KEY' with a key that 'swaptalk keys add NAME' made.",
            {"WWW-Authenticate": "Bearer"},
            field="Authorization",
        )
    return found


Owner = Annotated[str, Depends(owner)]
