"""Kill the server or a worker at random moments while jobs run, and compare the outputs.

    python benchmarks/serving/kill.py --kills 20

All jobs must end once, with the outputs of an undisturbed run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sqlite3
import tempfile
import time
from pathlib import Path

from running import Server, inputs

from swaptalk.media.video_reader import VideoReader

ENDED = {"done", "failed", "cancelled"}
#: Seconds without any change after which the run is called stuck.
PATIENCE = 600


def pictures(path: Path) -> tuple[int, str]:
    """Number of frames, and a hash over all decoded ones."""
    digest, count = hashlib.sha256(), 0
    with VideoReader(path) as video:
        for frame in video.frames():
            digest.update(frame.tobytes())
            count += 1
    return count, digest.hexdigest()


def states(server: Server) -> dict[str, str]:
    """State of every render, from the database itself: the server may be dead."""
    with sqlite3.connect(server.data / "swaptalk.sqlite", timeout=30) as rows:
        return dict(rows.execute("SELECT id, state FROM jobs WHERE kind = 'render'"))


def worker_pids(server: Server) -> list[int]:
    """Children of the server."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == server.process.pid and b"serving.worker" in command:
            found.append(int(status.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def disturb(
    server: Server, kills: int, chance: random.Random, pause: tuple[float, float]
) -> dict[str, int]:
    """Kill ``kills`` times, the server or one of its workers, as long as jobs are unfinished."""
    done = {"server": 0, "worker": 0, "orphans": 0}
    while done["server"] + done["worker"] < kills and set(states(server).values()) - ENDED:
        time.sleep(chance.uniform(*pause))
        workers = worker_pids(server)
        if workers and chance.random() < 0.5:
            os.kill(chance.choice(workers), signal.SIGKILL)
            done["worker"] += 1
        else:
            server.kill()
            done["server"] += 1
            time.sleep(chance.uniform(1, 2))
            done["orphans"] += sum(is_alive(pid) for pid in workers)
            server.start()
        print(f"{done}; {sorted(states(server).values())}", flush=True)
    return done


def finish(server: Server) -> dict[str, str]:
    """Wait until all jobs have ended."""
    since, last = time.monotonic(), None
    while set((now := states(server)).values()) - ENDED:
        with sqlite3.connect(server.data / "swaptalk.sqlite", timeout=30) as rows:
            revision = rows.execute("SELECT last FROM revisions").fetchone()
        if revision != last:
            since, last = time.monotonic(), revision
        if time.monotonic() - since > PATIENCE:
            raise SystemExit(f"stuck: {now}")
        time.sleep(1)
    return now


def left_behind(made: Path, jobs: list[str]) -> list[str]:
    """Names of the files in the folders of finished jobs that are not their results."""
    results = ("output.mp4", "poster.jpg", "report.json")
    return [
        path.name for job in jobs for path in (made / job).iterdir() if path.name not in results
    ]


def claims(server: Server, jobs: list[str]) -> list[int]:
    """How often each of these jobs was claimed."""
    marks = ",".join("?" * len(jobs))
    with sqlite3.connect(server.data / "swaptalk.sqlite") as rows:
        return [
            row[0] for row in rows.execute(f"SELECT token FROM jobs WHERE id IN ({marks})", jobs)
        ]


def measure(server: Server, given: argparse.Namespace, files: tuple[Path, Path, Path]) -> list[str]:
    """Render the jobs undisturbed, then disturbed; what happened, in lines."""
    photo, video, audio = (server.upload(path) for path in files)

    def submit(name: str, number: int) -> str:
        options = {"strength": 1 - 0.1 * number, "quality": "low"}
        return server.submit(
            f"{name}{number}", source=[photo], target=video, audio=audio, options=options
        )

    begun = time.monotonic()
    expected = [submit("calm", number) for number in range(given.jobs)]
    assert set(finish(server).values()) == {"done"}
    calm = time.monotonic() - begun
    print(f"undisturbed: {calm:.0f} s", flush=True)
    begun = time.monotonic()
    disturbed = [submit("wild", number) for number in range(given.jobs)]
    # A client that repeats itself.
    again = [submit("wild", number) for number in range(given.jobs)]
    kills = disturb(server, given.kills, random.Random(given.seed), tuple(given.pause))
    ended = finish(server)
    wild = time.monotonic() - begun
    made = server.data / "jobs"
    same = [
        pictures(made / one / "output.mp4") == pictures(made / other / "output.mp4")
        for one, other in zip(expected, disturbed, strict=True)
    ]
    return [
        f"kills: {kills['server']} of the server, {kills['worker']} of workers; "
        f"workers that outlived their server by a second: {kills['orphans']}",
        f"jobs: {len(ended) - len(expected)} of {given.jobs} (repeated submissions made "
        f"{len(set(again) - set(disturbed))} more), done: "
        f"{sum(ended[job] == 'done' for job in disturbed)}",
        f"claims of each job: {claims(server, disturbed)}; outputs identical to the undisturbed "
        f"run's: {sum(same)} of {len(same)}",
        f"files left behind: {left_behind(made, disturbed) or 'none'}; time: {calm:.0f} s "
        f"undisturbed, {wild:.0f} s with kills",
    ]


def main() -> None:
    """Run, kill, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument(
        "--seconds", type=float, default=34, help="length of each result: a chunk is 10 seconds"
    )
    parser.add_argument(
        "--pause", type=float, nargs=2, default=(2, 14), help="seconds between two kills"
    )
    parser.add_argument(
        "--attempts", type=int, default=30, help="kills come faster than chunks on a slow machine"
    )
    parser.add_argument("--port", type=int, default=8719)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ray", help="address of a Ray cluster that makes the renders")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = inputs(Path(folder), given.seconds)
        with Server(
            Path(folder) / "data",
            given.port,
            "--free-disk-gb",
            "0.01",
            "--threads",
            "1",
            "--attempts",
            str(given.attempts),
            *(["--ray", given.ray] if given.ray else []),
        ) as server:
            print(*measure(server, given, files), sep="\n")


if __name__ == "__main__":
    main()
