"""Runs the server: one process for HTTP, others for the work."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import webbrowser
from typing import IO

import uvicorn
from fastapi import FastAPI

from swaptalk.errors import InputError
from swaptalk.serving.http.app import create_app
from swaptalk.serving.http.connections import TimedProtocol
from swaptalk.serving.http.request_guard import needs_key
from swaptalk.serving.log import begin_log
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.keys import KeyStore
from swaptalk.serving.worker.cluster import connect
from swaptalk.serving.worker.supervisor import Supervisor
from swaptalk.storage.locks import lock_file

#: Connections at the same time; more are told to come back later.
MOST_CONNECTIONS = 500
#: Seconds that open requests have when the server stops.
GRACE_SECONDS = 3


class WebServer(uvicorn.Server):
    """Limits connections, and ends event streams when the server stops.

    Args:
        app: of :func:`create_app`.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=TimedProtocol,
                log_level="warning",
                limit_concurrency=MOST_CONNECTIONS,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                proxy_headers=False,
                date_header=False,
            )
        )
        self._changes = app.state.context.changes

    def handle_exit(self, sig: int, frame: object) -> None:
        """Start stopping."""
        self._changes.closing = True
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def serve(settings: ServeOptions) -> int:
    """Serve until a signal stops the server; return the exit code.

    Raises:
        InputError: the address, the data folder or the cluster cannot be used, or an API key is
            needed and there is none.
    """
    settings.check_values()
    begin_log(settings.log_level)
    # To refuse before anything is started; the workers join for themselves.
    cluster = connect(settings)
    if cluster is not None:
        cluster.close()
    data = DataFolder(settings.folder)
    if needs_key(settings) and not KeyStore(data.database).list():
        raise InputError(
            "others than you could reach this server, and it has no API key",
            remedy=f"make one with 'swaptalk keys add NAME --data {settings.folder}' first",
        )
    with _only_server(data), _bound(settings) as listening:
        app = create_app(settings, data)
        address = f"http://{_shown_host(settings.host)}:{listening.getsockname()[1]}/"
        supervisor = Supervisor(settings, data.database)
        # The web server repeats the signal that ended it, which would end this process before its
        # workers have stopped.
        signal.signal(signal.SIGTERM, _interrupt)
        supervisor.start()
        print(f"SwapTalk is at {address}", flush=True)
        if settings.open:
            webbrowser.open(address)
        try:
            asyncio.run(WebServer(app).serve(sockets=[listening]))
        except KeyboardInterrupt:
            pass
        finally:
            supervisor.stop()
    return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _only_server(data: DataFolder) -> IO[bytes]:
    """Lock the data folder: a second server on it would start the workers twice."""
    try:
        return lock_file(data.folder / "lock")
    except InputError:
        raise InputError(
            "another server uses this folder",
            path=data.folder,
            remedy="stop it, or name another folder with --data",
        ) from None


def _bound(settings: ServeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two servers share a port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror or error})",
            remedy="name another --port (0 takes a free one) or --host",
        ) from error
    return listening


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
