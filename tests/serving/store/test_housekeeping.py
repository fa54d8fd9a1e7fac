"""Retention, webhooks, metrics, spoken text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from swaptalk.serving.http.webhooks import deliver_due, is_allowed, webhook_secret
from swaptalk.serving.settings import Limits
from swaptalk.serving.store.claims import Claims
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.housekeeping import tidy
from swaptalk.serving.store.job import JobLabel
from swaptalk.serving.store.uploads import DiskQuotaError, UploadNotFoundError

from ...waiting import until


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def stored(data: DataFolder, content: bytes, owner: str = "me", room: int = 10**9) -> str:
    part = data.uploads.part()
    part.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return data.uploads.add(owner, "a.wav", "audio", part, digest, {}, room)[0].id


def ended(data: DataFolder, upload: str, webhook: str | None = None) -> str:
    label = JobLabel("Hello", "order-1", {"customer": "Silva"}, None, "https://video.example.org")
    job = data.store.submit(
        "me", "render", {}, inputs=[(upload, "audio")], webhook=webhook, label=label
    )[0].id
    (data.jobs / job).mkdir()
    (data.jobs / job / "output.mp4").write_bytes(b"result")
    claims = Claims(data.database, "w", 3)
    claims.finish(claims.claim(["render"]), {"frames": 1, "bytes": 6})
    return job


def test_what_is_too_old_is_deleted_and_what_is_needed_is_not(data: DataFolder) -> None:
    old, fresh = stored(data, b"old"), stored(data, b"fresh")
    job = ended(data, old)
    waiting = data.store.submit("me", "render", {}, inputs=[(fresh, "audio")])[0].id
    tidy(data, Limits(keep_days=0.5), time.time() + 11 * 3600)
    assert (data.jobs / job).exists() and data.uploads.path(old).exists()
    tidy(data, Limits(keep_days=0.5), time.time() + 13 * 3600)
    assert not (data.jobs / job).exists() and not data.uploads.path(old).exists()
    with pytest.raises(UploadNotFoundError):
        data.uploads.get("me", old)
    assert data.uploads.path(fresh).exists() and data.store.get("me", waiting).state == "queued"
    assert data.store.changes("me", 0)[1][0][0] == job


def test_what_dead_processes_left_is_swept(data: DataFolder) -> None:
    (data.uploads.incoming / "x.part").write_bytes(b"half")
    (data.jobs / "0" / "attempt-1").mkdir(parents=True)
    tidy(data, Limits())
    assert (data.uploads.incoming / "x.part").exists()  # it may be on its way
    tidy(data, Limits(), time.time() + 7200)
    assert not (data.uploads.incoming / "x.part").exists() and not (data.jobs / "0").exists()


def test_room_is_limited_and_files_of_two_owners_count_for_both(data: DataFolder) -> None:
    stored(data, b"x" * 60, room=100)
    with pytest.raises(DiskQuotaError):
        stored(data, b"y" * 60, room=100)
    stored(data, b"x" * 60, owner="you", room=100)
    assert data.uploads.used_bytes("me") == data.uploads.used_bytes("you") == 60


class Receiver(HTTPServer):
    """Keeps the requests it got; answers them with the states in ``answers``."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:  # noqa: N802 - the base class's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((headers, body))
        self.send_response(self.server.answers.pop(0))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_webhooks_arrive_signed_and_are_tried_again(
    data: DataFolder, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swaptalk.serving.http.webhooks.RETRIES", (0.0, 0.0))
    host = f"127.0.0.1:{receiver.server_port}"
    job = ended(data, stored(data, b"a"), f"http://{host}/done")
    receiver.answers = [503, 302, 200]
    assert [deliver_due(data.database, [host]) for _ in range(4)] == [0, 0, 1, 0]
    headers, body = receiver.got[-1]
    assert len({one["webhook-id"] for one, _ in receiver.got}) == 1 and len(receiver.got) == 3
    said = json.loads(body)
    assert said["type"] == "job.done"
    assert said["data"] == {
        "id": job,
        "kind": "render",
        "state": "done",
        "output": f"https://video.example.org/api/v1/jobs/{job}/output",
        "error": None,
        "reference": "order-1",
        "metadata": {"customer": "Silva"},
    }
    key = base64.b64decode(webhook_secret(data.database).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"


def test_webhooks_say_why_a_job_failed(data: DataFolder, receiver: Receiver) -> None:
    host = f"127.0.0.1:{receiver.server_port}"
    upload = stored(data, b"a")
    data.store.submit("me", "render", {}, inputs=[(upload, "audio")], webhook=f"http://{host}/done")
    claims = Claims(data.database, "w", 3)
    error = {"title": "This could not be made", "detail": "No face.", "remedy": "Another one."}
    claims.fail(claims.claim(["render"]), error)
    receiver.answers = [200]
    assert deliver_due(data.database, [host]) == 1
    said = json.loads(receiver.got[-1][1])
    assert said["type"] == "job.failed" and said["data"]["error"] == error
    assert said["data"]["output"] is None and said["data"]["metadata"] == {}


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/x", True),
        ("http://example.org:8080/x", True),
        ("https://EXAMPLE.org", True),
        ("https://example.org:9/x", False),
        ("https://evil.org/example.org", False),
        ("https://example.org.evil.org", False),
        ("https://example.org@evil.org/", False),
        ("file:///etc/passwd", False),
        ("https://example.org\r\nX: y", False),
        ("https://[", False),
        ("https://example.org:x/", False),
        ("//example.org", False),
    ],
)
def test_only_named_hosts_are_called(url: str, allowed: bool) -> None:
    assert is_allowed(url, ["example.org", "example.org:8080"]) is allowed


def test_metrics_and_health(server) -> None:
    # The workers may not have said yet that they live.
    until(lambda: server.client.get("/health").status_code != 503)
    server.client.get("/health").raise_for_status()
    text = server.client.get("/metrics").text
    for name in (
        "swaptalk_workers",
        "swaptalk_jobs_ended_total",
        "swaptalk_disk_free_bytes",
        "swaptalk_request_seconds_bucket",
    ):
        assert name in text


def test_text_is_spoken(server) -> None:
    voices = server.client.get("/api/v1/voices").json()["voices"]
    english = next(voice for voice in voices if voice["language"].startswith("en"))
    assert english["terms"]
    text = "Good morning; $(touch /tmp/x) -w /tmp/y"
    for choice in ({}, {"language": "en"}, {"voice": english["id"]}):
        said = server.client.post("/api/v1/speech", json={"text": text, **choice}).json()
        assert said["kind"] == "audio" and said["media"]["seconds"] > 1
    for wrong, field in (({"language": "qqq"}, "language"), ({"voice": "piper:x"}, "voice")):
        answer = server.client.post("/api/v1/speech", json={"text": "x", **wrong})
        assert answer.status_code == 422 and answer.json()["field"] == field
