"""Clients that send too slowly, on real sockets; the server's patience is shortened, nothing
else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from swaptalk.serving.http import connections, request_guard, upload_stream
from swaptalk.serving.http.app import create_app
from swaptalk.serving.server import WebServer
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.data_folder import DataFolder


class Server:
    """The web server in a thread of this process, without workers."""

    def __init__(self, data: Path) -> None:
        settings = ServeOptions(data=data, free_disk_gb=0.01)
        self.incoming = data / "uploads" / "incoming"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._web = WebServer(create_app(settings, DataFolder(data)))
        self._thread = threading.Thread(target=self._web.run, kwargs={"sockets": [self._listening]})
        self._thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def head(self, line: str, *headers: str) -> bytes:
        return "\r\n".join(
            [f"{line} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *headers, "", ""]
        ).encode()

    def stop(self) -> None:
        self._web.should_exit = True
        self._thread.join()
        self._listening.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 1.0)
    monkeypatch.setattr(request_guard, "BODY_SECONDS", 1.0)
    monkeypatch.setattr(upload_stream, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr(upload_stream, "PATIENCE_SECONDS", 1.5)
    running = Server(tmp_path)
    yield running
    running.stop()


def everything(line: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    said = b""
    while some := line.recv(65536):
        said += some
    return said


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: "])
def test_a_head_that_does_not_come(server: Server, sent: bytes) -> None:
    with server.connect() as line:
        begun = time.monotonic()
        line.sendall(sent)
        assert everything(line) == b"" and 0.5 < time.monotonic() - begun < 5


def test_a_head_that_comes_byte_by_byte(server: Server) -> None:
    with server.connect() as line, pytest.raises(OSError):
        for byte in server.head("GET /api/v1/about", f"X-Filler: {'x' * 100}"):
            line.sendall(bytes([byte]))
            time.sleep(0.1)


def test_the_second_head_on_a_connection(server: Server) -> None:
    with server.connect() as line:
        line.sendall(server.head("GET /api/v1/about") + b"GET /api")
        assert everything(line).count(b"HTTP/1.1 200") == 1


def test_a_patient_client_is_served(server: Server) -> None:
    with server.connect() as line:
        for _ in range(4):  # longer in all than any of them may take
            line.sendall(server.head("GET /api/v1/about"))
            said = b""
            while not said.endswith(b"}"):
                said += line.recv(65536)
            assert said.startswith(b"HTTP/1.1 200")
            time.sleep(0.6)


def test_a_request_body_that_does_not_come(server: Server) -> None:
    with server.connect() as line:
        line.sendall(
            server.head("POST /api/v1/jobs", "Content-Type: application/json", "Content-Length: 90")
            + b"{"
        )
        said = everything(line)
        assert said.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in said


def test_an_upload_that_stops(server: Server) -> None:
    with server.connect() as line:
        line.sendall(server.head("POST /api/v1/uploads?name=a.mp4", "Content-Length: 90") + b"abc")
        said = everything(line)
        assert said.startswith(b"HTTP/1.1 408 ") and b"nothing arrived for" in said.lower()
    assert list(server.incoming.iterdir()) == []


def test_an_upload_that_trickles(server: Server) -> None:
    with server.connect() as line:
        line.sendall(server.head("POST /api/v1/uploads?name=a.mp4", "Transfer-Encoding: chunked"))
        for _ in range(50):
            try:
                line.sendall(b"1\r\nx\r\n")
            except OSError:
                break
            line.settimeout(0.2)
            try:
                said = line.recv(65536)
                break
            except TimeoutError:
                continue
        line.settimeout(10)
        said += everything(line)
        assert said.startswith(b"HTTP/1.1 408 ") and b"bytes a second" in said
    assert list(server.incoming.iterdir()) == []


def test_an_event_stream_outlives_all_of_them(server: Server) -> None:
    with server.connect() as line:
        line.sendall(server.head("GET /api/v1/events"))
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(2.5)
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):  # open, and silent
            while line.recv(65536):
                pass
