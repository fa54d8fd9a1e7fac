"""Servers that others can reach."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from swaptalk.cli.main import main


def test_without_a_key_it_refuses_to_listen_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "no API key" in said and "swaptalk keys add" in said
    assert (
        main(
            ["serve", "--allowed-host", "video.example.org", "--port", "0", "--data", str(tmp_path)]
        )
        == 2
    )


def test_keys_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(tmp_path)]
    assert main(["keys", "add", "anna", *data]) == 0
    key = capsys.readouterr().out.strip()
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.glob("swaptalk.sqlite*"))
    assert main(["keys", "add", "anna", *data]) == 2
    assert main(["keys", "list", "--json", *data]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["anna"]
    assert (
        main(["keys", "remove", "anna", *data]) == 0
        and main(["keys", "remove", "anna", *data]) == 2
    )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    data = tmp_path_factory.mktemp("reachable")
    made = [
        subprocess.run(
            [sys.executable, "-m", "swaptalk", "keys", "add", name, "--data", str(data)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for name in ("anna", "ben")
    ]
    return data, made[0], made[1]


@pytest.fixture(scope="module")
def reachable(serve, keys: tuple[Path, str, str]):
    return serve("--host", "0.0.0.0", data=keys[0])


def test_every_key_has_its_own(reachable, keys: tuple[Path, str, str], photo: Path) -> None:
    anna, ben = ({"Authorization": f"Bearer {key}"} for key in keys[1:])
    client = reachable.client
    for path in ("/api/v1/jobs", "/api/v1/uploads", "/api/v1/about", "/metrics", "/api/v1/events"):
        assert (
            client.get(path).status_code == 401
            and client.get(path).json()["field"] == "Authorization"
        )
    assert (
        client.get("/api/v1/jobs", headers={"Authorization": "Bearer swaptalk_wrong"}).status_code
        == 401
    )
    assert client.post("/api/v1/uploads", content=b"x").status_code == 401
    made = client.post("/api/v1/uploads", content=photo.read_bytes(), headers=anna).json()
    assert client.get(f"/api/v1/uploads/{made['id']}", headers=anna).status_code == 200
    assert client.get(f"/api/v1/uploads/{made['id']}", headers=ben).status_code == 404
    assert client.get(f"/api/v1/jobs/{made['inspection']['id']}", headers=ben).status_code == 404
    # The same file of somebody else is stored once, and stays when one of them deletes it.
    assert (
        client.post("/api/v1/uploads", content=photo.read_bytes(), headers=ben).status_code == 201
    )
    assert client.delete(f"/api/v1/uploads/{made['id']}", headers=anna).status_code == 204
    content = client.get(f"/api/v1/uploads/{made['id']}/content", headers=ben)
    assert content.content == photo.read_bytes()


def test_browsers_get_a_cookie_that_scripts_cannot_read(
    reachable, keys: tuple[Path, str, str]
) -> None:
    with httpx.Client(base_url=reachable.url) as browser:
        assert browser.post("/api/v1/session", json={"key": "swaptalk_wrong"}).status_code == 401
        answer = browser.post("/api/v1/session", json={"key": keys[1]})
        assert answer.status_code == 204
        assert (
            "HttpOnly" in answer.headers["set-cookie"]
            and "SameSite=strict" in answer.headers["set-cookie"]
        )
        assert browser.get("/api/v1/jobs").status_code == 200
        token = browser.cookies["swaptalk_session"]
        assert browser.delete("/api/v1/session").status_code == 204
        browser.cookies["swaptalk_session"] = token
        assert browser.get("/api/v1/jobs").status_code == 401
