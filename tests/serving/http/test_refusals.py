"""What bad input gets: 4xx with a problem document, and nothing left on the disk."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from swaptalk.serving.http.request_guard import BODY_BYTES

from ...waiting import until


def incoming(server) -> list[str]:
    return [path.name for path in (server.data / "uploads" / "incoming").iterdir()]


def problem(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (
        said["status"] == status
        and said["type"].startswith("urn:swaptalk:problem:")
        and said["detail"]
    )
    return said


def test_oversize_uploads_are_refused_by_their_header(server) -> None:
    host = server.url.removeprefix("http://")
    with socket.create_connection(
        (host.split(":")[0], int(host.split(":")[1])), timeout=10
    ) as line:
        line.sendall(
            f"POST /api/v1/uploads HTTP/1.1\r\nHost: {host}\r\n".encode()
            + b"Content-Length: 20000001\r\n\r\n"
        )
        assert line.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_oversize_uploads_of_unknown_length_are_refused_while_they_arrive(server) -> None:
    said = problem(
        server.client.post("/api/v1/uploads", content=(b"x" * 1_000_000 for _ in range(21))), 413
    )
    assert said["limit"] == 20_000_000 and said["field"] == "body" and incoming(server) == []


def test_an_upload_that_breaks_off_leaves_nothing(server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        head = (
            f"POST /api/v1/uploads HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 9999\r\n\r\n"
        )
        line.sendall(head.encode() + b"abc")
        until(lambda: len(incoming(server)) == 1)
    until(lambda: incoming(server) == [])


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"", 422, "invalid-request"),
        (b"<html><script>alert(1)</script></html>", 422, "unusable-file"),
        (b"\x00" * 5000, 422, "unusable-file"),
        (b"#EXTM3U\nfile:///etc/passwd\n", 422, "unusable-file"),
    ],
)
def test_what_is_no_media_file_is_refused(server, content: bytes, status: int, kind: str) -> None:
    said = problem(server.client.post("/api/v1/uploads?name=../../x.mp4", content=content), status)
    assert said["type"].endswith(kind) and said["remedy"] and incoming(server) == []


def test_too_long_and_too_large(server, make_wav, tmp_path: Path) -> None:
    import numpy as np

    from swaptalk.media.image import write_image

    said = problem(server.client.post("/api/v1/uploads", content=make_wav(61.0).read_bytes()), 422)
    assert said["limit"] == 60 and said["type"].endswith("too-long")
    write_image(tmp_path / "big.png", np.zeros((1001, 1000, 3), np.uint8))
    said = problem(
        server.client.post("/api/v1/uploads", content=(tmp_path / "big.png").read_bytes()), 422
    )
    assert said["limit"] == 1_000_000 and said["type"].endswith("too-many-pixels")


def test_names_are_never_paths(server, make_wav) -> None:
    answer = server.client.post(
        "/api/v1/uploads",
        params={"name": "../../../etc/evil\x00\n.wav"},
        content=make_wav(0.37).read_bytes(),
    )
    assert answer.json()["name"] == "evil.wav"
    for path in (
        "/../pyproject.toml",
        "/..%2f..%2fpyproject.toml",
        "/api/v1/uploads/..%2f..%2fswaptalk.sqlite/content",
        "/%2e%2e/%2e%2e/app.py",
    ):
        assert server.client.get(path).status_code in (404, 422)


@pytest.mark.parametrize(
    "target",
    [
        "/../../../../../../etc/passwd",
        "//etc/passwd",
        "/..%5c..%5cetc%5cpasswd",
        "/..\\..\\app.py",
        "/%00",
        "/style.css%00.html",
        "/%c0%ae%c0%ae/app.py",
        "/./../app.py",
        "/api/v1/jobs/../../../etc/passwd/output",
        "/index.html/../../app.py",
        "file:///etc/passwd",
    ],
)
def test_paths_as_they_are_sent(server, target: str) -> None:
    """Clients' libraries tidy paths up; attackers do not."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
        )
        said = b""
        while some := line.recv(65536):
            said += some
    assert said.split()[1] in (b"400", b"404", b"405", b"422"), said[:200]
    assert b"root:" not in said and b"create_app" not in said


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "nonsense",
        "",
    ],
)
def test_jobs_of_other_content_types(server, kind: str) -> None:
    headers = {"Content-Type": kind}
    said = problem(server.client.post("/api/v1/jobs", content=b"{}", headers=headers), 415)
    assert said["field"] == "Content-Type" and "application/json" in said["remedy"]


def test_broken_json_is_the_bodys_fault_and_its_place_is_said(server) -> None:
    headers = {"Content-Type": "application/json"}
    for body, place in ((b'{"target": }', 11), (b'{"target": "x",}', 15)):
        said = problem(server.client.post("/api/v1/jobs", content=body, headers=headers), 422)
        assert said["field"] == "body" and f"at character {place}." in said["detail"]


def test_uploads_of_other_content_types(server, make_wav, other_photo: Path) -> None:
    """What counts is what is in the file, but it must be said to be a file."""
    for kind in ("text/html", "application/json"):
        headers = {"Content-Type": kind}
        photo = other_photo.read_bytes()
        problem(server.client.post("/api/v1/uploads", content=photo, headers=headers), 415)
    sent = server.client.post(
        "/api/v1/uploads?name=page.html",
        content=other_photo.read_bytes(),
        headers={"Content-Type": "video/mp4"},
    ).json()
    answer = server.client.get(f"/api/v1/uploads/{sent['id']}/content")
    assert answer.headers["content-type"].startswith("image/")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    headers = {"Content-Type": "image/svg+xml"}
    problem(server.client.post("/api/v1/uploads?name=a.svg", content=svg, headers=headers), 422)
    assert incoming(server) == []


@pytest.mark.parametrize(
    ("body", "kind", "status", "field"),
    [
        (b"--x\r\n\r\nno file\r\n--x--\r\n", "multipart/form-data; boundary=x", 422, "file"),
        (b"", "multipart/form-data; boundary=x", 422, "file"),
        (b"this is no form at all", "multipart/form-data; boundary=x", 400, "body"),
        (b"--x--", "multipart/form-data", 400, "body"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n'
            b'--x\r\nContent-Disposition: form-data; name="b"; filename="b"\r\n\r\n2\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            422,
            "file",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
            + b"1" * 70_000
            + b"\r\n--x--",
            "multipart/form-data; boundary=x",
            422,
            "body",
        ),
    ],
)
def test_forms_without_one_file(server, body: bytes, kind: str, status: int, field: str) -> None:
    answer = server.client.post("/api/v1/uploads", content=body, headers={"Content-Type": kind})
    assert problem(answer, status)["field"] == field and incoming(server) == []


@pytest.fixture
def clip(server, make_clip) -> str:
    return server.upload(make_clip(name="fixed.mp4", frames=3))["id"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"options": {"strength": 2}}, "options.strength"),
        ({"options": {"fps": "1e999999999"}}, "options.fps"),
        ({"options": {"resolution": "8000x8000"}}, "options.resolution"),
        ({"options": {"codec": "mpeg1"}}, "options.codec"),
        ({"options": {"background": "keep"}}, "options.background"),
        ({"options": {"loudness": 3}}, "options.loudness"),
        ({"format": "avi"}, "format"),
        ({"options": {"person": ["face=1"]}}, "options.person"),
        ({"options": {"face": "like:/etc/passwd"}}, "options.face"),
        ({"people": [{"face": "1"}], "source": []}, "people.0"),
        ({"people": [{"source": []}], "source": []}, "people.0.face"),
        ({"turns": [{"start": 0, "end": 1, "person": "1"}]}, "turns"),
        ({"people": [{"face": "1", "source": ["TARGET"]}], "source": []}, "people.0.source.0"),
        ({"people": [{"face": "1", "audio": "TARGET"}], "source": []}, "people.0.audio"),
        ({"people": [{"like": "TARGET"}], "source": []}, "people.0.like"),
        ({"format": "webm", "options": {"codec": "h264"}}, "options.codec"),
        ({"options": {"crop": "9:16", "resolution": "90"}}, "options.crop"),
        ({"options": {"subtitles_as": "beside"}}, "options.subtitles_as"),
        ({"subtitles": "no times"}, "subtitles"),
        ({"format": "gif", "options": {"fps": "60"}}, "options.fps"),
        ({"format": "gif", "audio": "WORDS", "options": {"loudness": -16}}, "options.loudness"),
        ({"format": "webp", "options": {"keep_tracks": True}}, "options.keep_tracks"),
        ({"options": {"face": "../../x"}}, "options.face"),
        ({"options": {"output": "/etc/passwd"}}, "options.output"),
        ({"options": {"models": "/tmp"}}, "options.models"),
        ({"target": "../../etc/passwd"}, "target"),
        ({"source": ["TARGET"]}, "source.0"),
        ({"audio": "TARGET"}, "audio"),
        ({"consent": None, "source": []}, "source"),
        ({"webhook": "http://169.254.169.254/latest"}, "webhook"),
        ({"kind": "template"}, "kind"),
    ],
)
def test_a_wrong_job_names_the_field(
    server, clip: str, make_wav, other_photo: Path, change: dict, field: str
) -> None:
    if change.get("audio") == "WORDS":
        change = change | {"audio": server.upload(make_wav(0.1))["id"]}
    body = {"target": clip, "source": [server.upload(other_photo)["id"]], "consent": server.consent}
    body = json.loads(json.dumps(body | change).replace("TARGET", clip))
    assert problem(server.client.post("/api/v1/jobs", json=body), 422)["field"] == field


@pytest.mark.parametrize("blank", [" " * 40, "\u200b" * 40, "\n\t \u00a0" * 10, "  I agree   "])
def test_a_consent_of_blanks_is_none(server, clip: str, other_photo: Path, blank: str) -> None:
    body = {"target": clip, "source": [server.upload(other_photo)["id"]], "consent": blank}
    said = problem(server.client.post("/api/v1/jobs", json=body), 422)
    assert said["detail"] == "consent: At least 10 characters that can be seen are needed"
    assert said["field"] == "consent"


@pytest.mark.parametrize(
    ("change", "field", "limit"),
    [
        ({"options": {"start": 99.0}}, "options.start", 0.12),
        ({"options": {"face": "7"}}, "options.face", 1),
        ({"options": {"source_face": "3"}}, "options.source_face", 1),
        ({"options": {"label": True, "label_text": "\u4e2d"}}, "options.label_text", None),
        ({"kind": "preview", "at": 5.0}, "at", 0.12),
        ({"at": 0.0}, "at", None),
        ({"title": ""}, "title", 1),
        ({"metadata": {"a": "x" * 501}}, "metadata.a", 500),
    ],
)
def test_what_is_known_to_fail_is_refused_at_once(
    server, clip: str, other_photo: Path, change: dict, field: str, limit: float | None
) -> None:
    source = server.upload(other_photo)["id"]
    server.inspected(clip)
    server.inspected(source)
    body = {"target": clip, "source": [source], "consent": server.consent, **change}
    said = problem(server.client.post("/api/v1/jobs", json=body), 422)
    assert said["field"] == field and said.get("limit") == limit, said


def test_scenes_and_photos_without_a_face_are_refused_at_once(
    server, clip: str, make_clip, other_photo: Path, tmp_path: Path
) -> None:
    import numpy as np

    from swaptalk.media.image import write_image

    write_image(tmp_path / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    wall = server.upload(tmp_path / "wall.png")["id"]
    nobody = server.upload(make_clip(name="empty.mp4", frames=3, faceless=range(3)))["id"]
    person = server.upload(other_photo)["id"]
    for upload in (wall, nobody, person, clip):
        server.inspected(upload)
    for target, source, field in ((nobody, person, "target"), (clip, wall, "source.0")):
        body = {"target": target, "source": [source], "consent": server.consent}
        said = problem(server.client.post("/api/v1/jobs", json=body), 422)
        assert said["field"] == field and "from the front" in said["remedy"]
    for entry, field in (
        ({"like": wall, "source": [person]}, "people.0.like"),
        ({"face": "1", "source": [wall]}, "people.0.source.0"),
    ):
        body = {"target": clip, "people": [entry], "consent": server.consent}
        said = problem(server.client.post("/api/v1/jobs", json=body), 422)
        assert said["field"] == field and "from the front" in said["remedy"]


def test_consent_is_asked_for(server, clip: str, other_photo: Path) -> None:
    body = {"target": clip, "source": [server.upload(other_photo)["id"]]}
    assert problem(server.client.post("/api/v1/jobs", json=body), 422)["field"] == "consent"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"target": NaN}', b'{"target": "\\ud800"}', b"\xff\xfe", b"null"]
)
def test_bodies_that_are_no_job(server, body: bytes) -> None:
    problem(
        server.client.post(
            "/api/v1/jobs", content=body, headers={"Content-Type": "application/json"}
        ),
        422,
    )


def test_large_bodies_and_unknown_things(server) -> None:
    subtitles = "1\n00:00:00,000 --> 00:00:02,500\n" + "語" * 199_000
    body = {"target": "0" * 64, "subtitles": subtitles, "consent": server.consent}
    assert problem(server.client.post("/api/v1/jobs", json=body), 404)["field"] == "target"
    problem(server.client.post("/api/v1/jobs", content=b"[" * (BODY_BYTES + 1)), 413)
    problem(server.client.get("/api/v1/jobs/" + "0" * 20), 404)
    problem(server.client.get("/api/v1/uploads/" + "0" * 64), 404)
    problem(server.client.get("/api/v1/nothing"), 404)
    problem(server.client.put("/api/v1/jobs"), 405)
    assert set(server.client.get("/api/v1/speech").headers["allow"].split(", ")) == {"POST"}
    problem(server.client.get("/api/v1/jobs?limit=100000"), 422)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example.com"}, 421),
        ({"Host": "127.0.0.1.example.com"}, 421),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_other_web_pages_cannot_use_the_server(server, headers: dict, status: int) -> None:
    body = {"text": "hello", "language": "en"}
    problem(server.client.post("/api/v1/speech", json=body, headers=headers), status)
    if "Origin" not in headers:
        problem(server.client.get("/api/v1/jobs", headers=headers), status)


def test_the_page_itself_may(server) -> None:
    headers = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.client.delete("/api/v1/session", headers=headers).status_code == 204
    policy = server.client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
