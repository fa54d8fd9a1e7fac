"""Real kills: nothing is lost, and finished chunks are not made again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from swaptalk.media.video_reader import VideoReader

from ...waiting import is_alive, until, until_ended

#: A chunk is ten seconds, and this makes it 50 frames instead of 250.
SLOW = {"quality": "low", "fps": "5"}


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
def test_a_job_survives_the_death_of_worker_and_server(
    serve, make_clip, make_wav, monkeypatch
) -> None:
    server = serve()
    target = server.upload(make_clip(frames=6))["id"]
    job = server.submit(target=target, audio=server.upload(make_wav(18.0))["id"], options=SLOW)[
        "id"
    ]

    def chunks() -> list[Path]:
        return list((server.data / "jobs" / job).glob("attempt-*/output.mp4.job/chunks/000000.mp4"))

    server.wait(job, until=lambda now: bool(chunks()))
    first = chunks()[0].stat()
    for pid in workers_of(server.process.pid):
        os.kill(pid, signal.SIGKILL)
    server.wait(
        job,
        until=lambda now: (
            now["attempts"] > 1 or now["stage"] == "generate" and now["progress"] > 0.8
        ),
    )
    assert (chunks()[0].stat().st_ino, chunks()[0].stat().st_mtime) == (
        first.st_ino,
        first.st_mtime,
    )
    server.kill()
    server.start()
    assert [one["id"] for one in server.client.get("/api/v1/jobs").json()["jobs"]] == [job]
    done = server.wait(job)
    assert done["state"] == "done", done["error"]
    assert done["result"]["frames"] == 90 and done["result"]["resumed_frames"] >= 50
    with VideoReader(server.data / "jobs" / job / "output.mp4") as made:
        assert sum(1 for _ in made.frames()) == 90
    assert server.stop() == 0


def test_a_server_that_stops_gives_its_job_back(serve, make_clip, make_wav) -> None:
    server = serve()
    target = server.upload(make_clip(frames=6))["id"]
    job = server.submit(target=target, audio=server.upload(make_wav(12.0))["id"], options=SLOW)[
        "id"
    ]
    server.wait(job, until=lambda now: now["stage"] is not None)
    assert server.stop() == 0
    server.start()
    found = server.job(job)
    # Stopping was no failed attempt.
    assert found["state"] in ("queued", "running") and found["attempts"] <= 1
    assert server.wait(job)["state"] == "done"
    server.stop()


def test_two_servers_on_one_folder(serve, capsys) -> None:
    from swaptalk.cli.main import main

    server = serve()
    assert main(["serve", "--port", "0", "--data", str(server.data)]) == 2
    assert "another server uses this folder" in capsys.readouterr().err
    server.stop()


def claim_for_an_hour(server, job: str) -> None:
    """Let the claim of a job end later, in the database of a server that is dead."""
    with sqlite3.connect(server.data / "swaptalk.sqlite", timeout=30) as rows:
        rows.execute("UPDATE jobs SET lease_until = lease_until + 3600 WHERE id = ?", [job])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
def test_workers_end_with_a_server_that_is_killed(serve, make_clip, make_wav) -> None:
    server = serve("--workers", "2")
    target = server.upload(make_clip(frames=6))["id"]
    job = server.submit(
        target=target, audio=server.upload(make_wav(6.0))["id"], options={"quality": "low"}
    )["id"]
    server.wait(job, until=lambda now: now["stage"] is not None)
    workers = workers_of(server.process.pid)
    assert len(workers) == 3  # one of them in the middle of its work
    server.kill()
    for worker in workers:
        until_ended(worker)
    claim_for_an_hour(server, job)
    server.start()
    until(lambda: len(workers_of(server.process.pid)) == 3)
    workers = workers_of(server.process.pid)  # they have not imported much yet
    server.kill()
    for worker in workers:
        until_ended(worker)
    server.start()
    # The new server sees that its worker is dead, and does not wait for the end of its claim.
    server.wait(job, until=lambda now: now["attempts"] > 1)
    server.client.post(f"/api/v1/jobs/{job}/cancel")
    server.stop()


#: Starts the program that is its argument, and says which process that is.
STARTER = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=INPUT).pid, flush=True)
time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="plays the other systems, too")
@pytest.mark.parametrize(
    ("before", "work", "stdin"),
    [
        ("", "ctypes.PyDLL(None).sleep(3600)", "None"),  # native code that lets no other thread run
        ("sys.platform = 'other'", "time.sleep(3600)", "None"),  # only its parent changes
        (
            "sys.platform = os.name = 'other'",
            "time.sleep(3600)",
            "subprocess.PIPE",
        ),  # only its standard input ends
    ],
    ids=["kernel", "parent", "input"],
)
def test_an_orphan_ends(before: str, work: str, stdin: str) -> None:
    program = f"""if True:
        import ctypes, os, sys, time
        from swaptalk.workers.lifetime import end_with, end_with_input
        {before}
        end_with(os.getppid())
        end_with_input()
        os.write(1, b"ready\\n")
        {work}"""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER.replace("INPUT", stdin), program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    said = {starter.stdout.readline().strip(), starter.stdout.readline().strip()}
    pid = int((said - {"ready"}).pop())
    assert "ready" in said and is_alive(pid)
    starter.kill()
    starter.wait()
    until_ended(pid)
