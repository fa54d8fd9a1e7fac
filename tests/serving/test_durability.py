"""Real kills: nothing is lost, and finished chunks are not made again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from swaptalk.media.video_reader import VideoReader


def workers_of(pid: int) -> list[int]:
    """Worker processes of a server that render, by what the system says."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and b"serving.worker" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
def test_a_job_survives_the_death_of_worker_and_server(serve, make_clip, make_wav, monkeypatch) -> None:
    server = serve()
    target = server.upload(make_clip(frames=6))["id"]
    job = server.submit(target=target, audio=server.upload(make_wav(14.0))["id"], options={"quality": "low"})["id"]

    def chunks() -> list[Path]:
        return list((server.data / "jobs" / job).glob("attempt-*/output.mp4.job/chunks/000000.mp4"))

    server.wait(job, until=lambda now: bool(chunks()))
    first = chunks()[0].stat()
    for pid in workers_of(server.process.pid):
        os.kill(pid, signal.SIGKILL)
    server.wait(job, until=lambda now: now["attempts"] > 1 or now["stage"] == "generate" and now["progress"] > 0.8)
    assert (chunks()[0].stat().st_ino, chunks()[0].stat().st_mtime) == (first.st_ino, first.st_mtime)
    server.kill()
    server.start()
    assert [one["id"] for one in server.client.get("/api/v1/jobs").json()["jobs"]] == [job]
    done = server.wait(job)
    assert done["state"] == "done", done["error"]
    assert done["result"]["frames"] == 350 and done["result"]["resumed_frames"] >= 250
    with VideoReader(server.data / "jobs" / job / "output.mp4") as made:
        assert sum(1 for _ in made.frames()) == 350
    assert server.stop() == 0


def test_a_server_that_stops_gives_its_job_back(serve, make_clip, make_wav) -> None:
    server = serve()
    target = server.upload(make_clip(frames=6))["id"]
    job = server.submit(target=target, audio=server.upload(make_wav(6.0))["id"], options={"quality": "low"})["id"]
    server.wait(job, until=lambda now: now["stage"] is not None)
    assert server.stop() == 0
    server.start()
    found = server.job(job)
    assert found["state"] in ("queued", "running") and found["attempts"] <= 1  # stopping was no failed attempt
    assert server.wait(job)["state"] == "done"
    server.stop()


def test_two_servers_on_one_folder(serve, capsys) -> None:
    from swaptalk.cli.main import main

    server = serve()
    assert main(["serve", "--port", "0", "--data", str(server.data)]) == 2
    assert "another server uses this folder" in capsys.readouterr().err
    server.stop()
