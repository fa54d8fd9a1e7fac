"""Clients that send too slowly, on real sockets; time passes when a test says so."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from swaptalk.serving.http.app import create_app
from swaptalk.serving.http.connections import HEADER_SECONDS
from swaptalk.serving.http.request_guard import BODY_SECONDS
from swaptalk.serving.http.upload_stream import IDLE_SECONDS, PATIENCE_SECONDS
from swaptalk.serving.server import WebServer
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.data_folder import DataFolder


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def put_forward(self, seconds: float) -> None:
        """From another thread; returns when it is done."""
        done = threading.Event()

        def put() -> None:
            self.ahead += seconds
            done.set()

        self.call_soon_threadsafe(put)
        done.wait()


class Server:
    """The web server in a thread of this process, without workers."""

    def __init__(self, data: Path) -> None:
        settings = ServeOptions(data=data, free_disk_gb=0.01)
        self.incoming = data / "uploads" / "incoming"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._web = WebServer(create_app(settings, DataFolder(data)))
        self._loop = Loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._loop.run_until_complete(self._web.serve(sockets=[self._listening]))
        self._loop.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port))

    def head(self, line: str, *headers: str) -> bytes:
        return "\r\n".join(
            [f"{line} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *headers, "", ""]
        ).encode()

    def wait(self, seconds: float) -> None:
        """Let time pass for the server."""
        self._loop.put_forward(seconds)

    def outlast(self, line: socket.socket) -> tuple[bytes, float]:
        """Let time pass until the server closes a connection; what it said, and the seconds."""
        said, seconds = b"", 0.0
        while True:
            if select.select([line], [], [], 0.01)[0]:
                some = line.recv(65536)
                if not some:
                    return said, seconds
                said += some
            else:
                self.wait(1)
                seconds += 1

    def stop(self) -> None:
        self._web.should_exit = True
        self._thread.join()
        self._listening.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    yield running
    running.stop()


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: "])
def test_a_head_that_does_not_come(server: Server, sent: bytes) -> None:
    with server.connect() as line:
        line.sendall(sent)
        said, seconds = server.outlast(line)
        assert said == b"" and seconds >= HEADER_SECONDS


def test_a_head_that_comes_byte_by_byte(server: Server) -> None:
    with server.connect() as line, pytest.raises(OSError):
        for byte in server.head("GET /api/v1/about", f"X-Filler: {'x' * 300}"):
            line.sendall(bytes([byte]))
            server.wait(HEADER_SECONDS / 100)


def test_the_second_head_on_a_connection(server: Server) -> None:
    with server.connect() as line:
        line.sendall(server.head("GET /api/v1/about") + b"GET /api")
        assert server.outlast(line)[0].count(b"HTTP/1.1 200") == 1


def test_a_patient_client_is_served(server: Server) -> None:
    with server.connect() as line:
        for _ in range(4):  # longer in all than any of them may take
            line.sendall(server.head("GET /api/v1/about"))
            said = b""
            while not said.endswith(b"}"):
                said += line.recv(65536)
            assert said.startswith(b"HTTP/1.1 200")
            server.wait(0.4 * HEADER_SECONDS)


def test_a_request_body_that_does_not_come(server: Server) -> None:
    with server.connect() as line:
        line.sendall(
            server.head("POST /api/v1/jobs", "Content-Type: application/json", "Content-Length: 90")
            + b"{"
        )
        said, seconds = server.outlast(line)
        assert said.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in said
        assert seconds >= BODY_SECONDS


def test_an_upload_that_stops(server: Server) -> None:
    with server.connect() as line:
        line.sendall(server.head("POST /api/v1/uploads?name=a.mp4", "Content-Length: 90") + b"abc")
        said, seconds = server.outlast(line)
        assert said.startswith(b"HTTP/1.1 408 ") and b"nothing arrived for" in said.lower()
        assert seconds >= IDLE_SECONDS
    assert list(server.incoming.iterdir()) == []


def test_an_upload_that_trickles(server: Server) -> None:
    with server.connect() as line:
        line.sendall(server.head("POST /api/v1/uploads?name=a.mp4", "Transfer-Encoding: chunked"))
        seconds = 0.0
        while not select.select([line], [], [], 0.01)[0]:
            line.sendall(b"1\r\nx\r\n")
            server.wait(IDLE_SECONDS / 10)
            seconds += IDLE_SECONDS / 10
        said = server.outlast(line)[0]
        assert said.startswith(b"HTTP/1.1 408 ") and b"bytes a second" in said
        assert seconds >= PATIENCE_SECONDS
    assert list(server.incoming.iterdir()) == []


def test_an_event_stream_outlives_all_of_them(server: Server) -> None:
    with server.connect() as line, server.connect() as other:
        line.sendall(server.head("GET /api/v1/events"))
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        server.wait(2 * max(HEADER_SECONDS, BODY_SECONDS, IDLE_SECONDS, PATIENCE_SECONDS))
        assert server.outlast(other)[0] == b""  # a connection without a request does not live on
        while select.select([line], [], [], 0)[0]:
            assert line.recv(65536)  # signs of life, not the end
