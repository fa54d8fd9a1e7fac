"""A registry on this machine with real wheels, sdists and npm tarballs, and pins of its files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from swaptalk.assets import catalogue
from swaptalk.storage.cache import CACHE_VARIABLE

#: Writes pins for the registry's packages, with changes, and puts them to use.
UsePins = Callable[..., Path]

FIRST, SECOND = b"first file " * 1000, b"second file " * 2000
ALARM = "ran-setup"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(name: str, files: dict[str, bytes]) -> bytes:
    info = f"{name}-1.0.dist-info"
    metadata = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: nowhere-to-be-found\n"
    )
    files = files | {
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def tarball(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Registry:
    """A package index (Python's simple API and npm's) on this machine that counts what is taken
    from it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.taken: list[str] = []
        self.stall = False
        self.stalled, self.closing = threading.Event(), threading.Event()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.answer(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        folder, _, name = request.path.strip("/").rpartition("/")
        if folder == "simple":
            links = [f for f in self.files if f.lower().replace("_", "-").startswith(name + "-")]
            body, kind = (
                "".join(f'<a href="/files/{f}">{f}</a>' for f in links).encode(),
                "text/html",
            )
        elif name in self.files:
            self.taken.append(name)
            body, kind = self.files[name], "application/octet-stream"
        elif folder == "" and f"{name}-1.0.0.tgz" in self.files:
            dist = {
                "tarball": f"{self.address}/{name}/-/{name}-1.0.0.tgz",
                "shasum": hashlib.sha1(self.files[f"{name}-1.0.0.tgz"]).hexdigest(),
            }
            version = {"name": name, "version": "1.0.0", "dist": dist}
            document = {
                "name": name,
                "dist-tags": {"latest": "1.0.0"},
                "versions": {"1.0.0": version},
            }
            body, kind = json.dumps(document).encode(), "application/json"
        else:
            request.send_error(404)
            return
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.stall and name in self.files:
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.stalled.set()
            self.closing.wait()
        else:
            request.wfile.write(body)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    registry = Registry()
    setup = f"open({str(tmp_path / ALARM)!r}, 'w')\nraise SystemExit('never run me')\n"
    registry.files = {
        "widgets-1.0-py3-none-any.whl": wheel(
            "widgets", {"widgets/a.bin": FIRST, "widgets/b.bin": SECOND}
        ),
        "gadgets-1.0.tar.gz": tarball(
            {
                "gadgets-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: gadgets\nVersion: 1.0\n",
                "gadgets-1.0/setup.py": setup.encode(),
                "gadgets-1.0/data/c.bin": FIRST,
            }
        ),
        "trinkets-1.0.0.tgz": tarball(
            {
                "package/package.json": b'{"name": "trinkets", "version": "1.0.0"}',
                "package/d.bin": SECOND,
            }
        ),
    }
    for variable in [
        v for v in os.environ if v.upper().startswith(("PIP_", "NPM_CONFIG_", "SWAPTALK_"))
    ]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{registry.address}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("npm_config_registry", registry.address)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    yield registry
    registry.closing.set()
    registry.server.shutdown()
    registry.server.server_close()


def pin(
    registry: Registry, **changes: dict[str, object]
) -> dict[str, dict[str, dict[str, object]]]:
    """Pins of everything in the registry; ``changes`` overwrite fields of a package or file by its
    name."""
    kinds = {
        "widgets": ("pypi", "wheel", "1.0"),
        "gadgets": ("pypi", "sdist", "1.0"),
        "trinkets": ("npm", "tarball", "1.0.0"),
    }
    packages: dict[str, dict[str, object]] = {}
    for archive, content in registry.files.items():
        name = archive.split("-")[0]
        where, kind, version = kinds[name]
        packages[name] = {
            "registry": where,
            "kind": kind,
            "version": version,
            "size": len(content),
            "sha256": sha256(content),
        }

    def file(name: str, content: bytes, *parts: tuple[str, str]) -> dict[str, object]:
        return {
            "file": f"{name}.bin",
            "use": "run-time",
            "purpose": "testing",
            "licence": "none",
            "size": len(content),
            "sha256": sha256(content),
            "parts": [{"package": p, "member": m} for p, m in parts],
        }

    files = {
        "a": file("a", FIRST, ("widgets", "widgets/a.bin")),
        "b": file("b", SECOND, ("widgets", "widgets/b.bin")),
        "c": file("c", FIRST, ("gadgets", "gadgets-1.0/data/c.bin")),
        "d": file("d", SECOND, ("trinkets", "package/d.bin")),
        "joined": file(
            "joined",
            FIRST + SECOND,
            ("gadgets", "gadgets-1.0/data/c.bin"),
            ("widgets", "widgets/b.bin"),
        ),
    }
    for name, fields in changes.items():
        (packages if name in packages else files)[name].update(fields)
    return {"packages": packages, "assets": files}


@pytest.fixture
def use_pins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: Registry
) -> Iterator[UsePins]:
    def use(**changes: dict[str, object]) -> Path:
        path = tmp_path / "pins.json"
        path.write_text(json.dumps(pin(registry, **changes)))
        monkeypatch.setattr(catalogue, "PINS", path)
        return path

    use()
    yield use
