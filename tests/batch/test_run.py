"""Whole batches with real workers, some of which are killed: every row ends done, none twice."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swaptalk.batch.folder import batch_folder
from swaptalk.batch.run import BatchSettings, run_batch
from swaptalk.batch.scheduler import BatchProgress
from swaptalk.batch.status import Status
from swaptalk.cli.main import main
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.options import EngineOptions

from ..waiting import until, until_ended

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="kills processes with signals"),
    pytest.mark.skipif(
        not (default_directory() / BUNDLE_NAME).exists(), reason="this checkout has no weights"
    ),
]
#: Seconds of speech in a row that is killed: long enough to be caught in the middle.
LONG = 4.0


@pytest.fixture
def table(make_clip, make_wav, tmp_path: Path) -> Path:
    """Four rows, three of them of one target; the first takes longest."""
    make_clip("one.mp4", frames=12)
    make_clip("two.mp4", frames=6)
    make_wav(LONG, "long.wav")
    make_wav(0.2, "short.wav")
    with (tmp_path / "jobs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["target", "audio", "output"])
        for number, (target, audio) in enumerate(
            [("one", "long"), ("one", "short"), ("two", "short"), ("one", "short")]
        ):
            writer.writerow([f"{target}.mp4", f"{audio}.wav", f"out{number}.mp4"])
    return tmp_path / "jobs.csv"


def states(table: Path) -> dict[str, Status]:
    import json

    found = {}
    for path in batch_folder(table).glob("*.json"):
        found[path.stem] = Status(**json.loads(path.read_text()))
    return found


class KillOnce:
    """Kills the process that works on the first row, once it is in the middle of it."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self.killed: int | None = None

    def __call__(self, progress: BatchProgress) -> None:
        row = states(self._table).get("row-000002")
        chunks = self._table.parent / "out0.mp4.job" / "chunks"
        if (
            self.killed is None
            and row is not None
            and row.state == "running"
            and list(chunks.glob("*"))
        ):
            assert row.worker is not None
            self.killed = int(row.worker.rpartition(":")[2])
            os.kill(self.killed, signal.SIGKILL)


def check_results(table: Path, killed_attempts: int) -> None:
    found = states(table)
    assert {name: state.state for name, state in found.items() if name.startswith("row")} == {
        f"row-{line:06d}": "done" for line in (2, 3, 4, 5)
    }
    assert found.pop("row-000002").attempts == killed_attempts
    # None twice, the shared template neither.
    assert all(state.attempts == 1 for state in found.values())
    assert len([name for name in found if name.startswith("template")]) == 1
    assert not list(table.parent.glob("*.job"))
    with VideoReader(table.parent / "out0.mp4") as video:
        assert len(video) == LONG * 25


def test_a_killed_worker_costs_one_attempt(table: Path) -> None:
    killer = KillOnce(table)
    told: list[BatchProgress] = []
    summary = run_batch(
        table,
        BatchSettings(workers=2, engine=EngineOptions(threads=1)),
        lambda progress: (told.append(progress), killer(progress)),
    )
    assert killer.killed is not None
    assert [row.state for row in summary.rows] == ["done"] * 4 and not summary.failed
    check_results(table, killed_attempts=2)
    assert any(one.last and one.last.error and "was killed" in one.last.error for one in told)
    assert told[-1].done == 4 and told[-1].seconds_left == 0
    again = run_batch(table, BatchSettings(workers=2, engine=EngineOptions(threads=1)))
    assert [row.attempts for row in again.rows] == [2, 1, 1, 1]
    # What comes out is what generate makes.
    main(
        [
            "sync",
            "--target",
            str(table.parent / "one.mp4"),
            "--audio",
            str(table.parent / "short.wav"),
            "--output",
            str(table.parent / "alone.mp4"),
            "--threads",
            "1",
            "--quiet",
        ]
    )
    with VideoReader(table.parent / "alone.mp4") as a, VideoReader(table.parent / "out1.mp4") as b:
        assert all(np.array_equal(x, y) for x, y in zip(a.frames(), b.frames(), strict=True))


def test_a_killed_batch_goes_on(table: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "swaptalk.cli",
        "batch",
        str(table),
        "--workers",
        "1",
        "--threads",
        "1",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(
        lambda: any(
            state.state == "running"
            for name, state in states(table).items()
            if name == "row-000002"
        )
    )
    worker = states(table)["row-000002"].worker
    assert worker is not None
    process.kill()
    process.wait()
    pid = int(worker.rpartition(":")[2])
    until_ended(pid)  # it leaves with the batch
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 rows done, 0 failed" in done.stdout
    assert "left" in done.stderr
    check_results(table, killed_attempts=2)


def test_failed_rows_are_reported_and_the_others_done(
    make_clip, make_wav, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_clip("face.mp4", frames=3)
    make_clip("grey.mp4", frames=3, faceless=range(3))
    make_wav(0.1)
    rows = ["face.mp4,words.wav,new/a.mp4", "grey.mp4,words.wav,b.mp4", "grey.mp4,words.wav,c.mp4"]
    rows.append("gone.mp4,words.wav,d.mp4")
    (tmp_path / "jobs.csv").write_text("target,audio,output\n" + "\n".join(rows))
    command = ["batch", str(tmp_path / "jobs.csv"), "--workers", "1"]
    assert main([*command, "--quiet"]) == 2 and not (tmp_path / "new").exists()
    assert "row 5: " in capfd.readouterr().err
    assert main([*command, "--skip-faulty"]) == 1
    said = capfd.readouterr().err
    assert "row 5: " in said and "gone.mp4: no such file" in said
    assert (
        "row-000003: its target could not be analysed: " in said
        and "no face that could be replaced" in said
    )
    assert (tmp_path / "new" / "a.mp4").exists() and not (tmp_path / "b.mp4").exists()
    assert main(["batch", str(tmp_path / "jobs.csv"), "--retries", "-1"]) == 2


def test_ray_cluster_with_a_killed_worker(cluster: str, table: Path) -> None:
    killer = KillOnce(table)
    summary = run_batch(table, BatchSettings(ray=cluster, engine=EngineOptions(threads=1)), killer)
    assert killer.killed is not None and not summary.failed
    check_results(table, killed_attempts=2)
    assert len({row.worker for row in summary.rows}) >= 2


def test_a_cluster_that_is_not_there(table: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    assert main(["batch", str(table), "--ray", "nonsense", "--quiet"]) == 2
    assert "no Ray cluster answers at nonsense" in capfd.readouterr().err
