"""The same jobs on a real Ray cluster of two node daemons: one actor is killed, one job
cancelled."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from swaptalk.cli.main import main

from ...waiting import until_ended

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="finds processes by /proc"
)

#: A chunk is ten seconds, and this makes it 50 frames instead of 250.
SLOW = {"quality": "low", "fps": "5"}


def actor(server, job: str) -> int:
    """Process id of the actor that makes a job, as it says itself."""
    status = json.loads(
        next((server.data / "jobs" / job).glob("attempt-*/status.json")).read_text()
    )
    pid = int(status["worker"].rpartition(":")[2])
    assert Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::JobWorker")
    return pid


def test_renders_and_templates_on_the_cluster(serve, cluster: str, make_clip, make_wav) -> None:
    server = serve("--ray", cluster, "--threads", "1")
    target = server.upload(make_clip(frames=6))["id"]
    audio = server.upload(make_wav(18.0))["id"]
    job = server.submit(target=target, audio=audio, options=SLOW)["id"]
    shown: list[float] = []

    def has_chunk(now: dict) -> bool:
        shown.append(now["progress"])
        return bool(
            list((server.data / "jobs" / job).glob("attempt-1/output.mp4.job/chunks/000000.mp4"))
        )

    server.wait(job, until=has_chunk)
    assert max(shown) > 0.2 and shown == sorted(shown)  # how far the actor was is told here
    os.kill(actor(server, job), signal.SIGKILL)
    done = server.wait(job)
    assert done["state"] == "done", done["error"]
    assert done["result"]["frames"] == 90 and done["result"]["resumed_frames"] >= 50
    assert (server.data / "jobs" / job / "output.mp4").stat().st_size == done["result"]["bytes"]
    assert not list((server.data / "jobs" / job).glob("attempt-*"))

    template = server.client.post("/api/v1/templates", json={"target": target}).json()["id"]
    assert server.wait(template)["state"] == "done"
    grey = server.upload(make_clip("grey.mp4", frames=3, faceless=range(3)))["id"]
    failed = server.wait(server.submit(target=grey, audio=audio)["id"])
    assert failed["state"] == "failed" and failed["error"]["field"] == "target"
    assert "“grey.mp4”: no face" in failed["error"]["detail"]

    job = server.submit(target=target, audio=audio, options={**SLOW, "strength": 0.5})["id"]
    server.wait(job, until=lambda now: now["stage"] == "generate")
    working = actor(server, job)
    server.client.post(f"/api/v1/jobs/{job}/cancel")
    assert server.wait(job)["state"] == "cancelled"
    until_ended(working)

    job = server.submit(target=target, audio=audio, options={**SLOW, "strength": 0.4})["id"]
    server.wait(job, until=lambda now: now["stage"] == "generate")
    working = actor(server, job)
    server.kill()
    until_ended(working)  # nobody goes on with what the next server will begin again


def test_a_cluster_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    assert main(["serve", "--data", str(tmp_path), "--port", "0", "--ray", "nonsense"]) == 2
    assert "no Ray cluster answers at nonsense" in capfd.readouterr().err


def test_without_ray(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "swaptalk.workers.cluster", raising=False)
    assert main(["serve", "--data", str(tmp_path), "--port", "0", "--ray", "auto"]) == 2
    assert "pip install 'swaptalk[cluster]'" in capfd.readouterr().err
