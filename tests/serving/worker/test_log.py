from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swaptalk.serving.log import begin_log
from swaptalk.serving.settings import LogLevel, ServeOptions
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.worker.loop import Worker

from ...waiting import until


@pytest.fixture(autouse=True)
def same_log_afterwards() -> Iterator[None]:
    log = logging.getLogger("swaptalk")
    before = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = before


def tried(folder: Path, request: dict[str, Any], level: LogLevel) -> str:
    """The id of a job that a worker has tried to do."""
    data = DataFolder(folder)
    job = data.store.submit("me", "inspect", request)[0].id
    begin_log(level)
    worker = Worker("worker", ["inspect"], ServeOptions(data=folder))
    running = threading.Thread(target=worker.run)
    running.start()

    def ended() -> bool:
        """It has failed, or after a fault waits for its next attempt."""
        found = data.store.get("me", job)
        return found.attempts > 0 and found.state != "running"

    until(ended)
    worker.stopping.set()
    running.join()
    return job


@pytest.mark.parametrize("level", ["info", "warning"])
def test_jobs_are_told_of_at_level_info(
    level: LogLevel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tried(tmp_path, {"upload": "gone"}, level)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(f" job {job} ")[2][:14] for line in lines] == (
        ["(inspect) begi", "failed: " + str(tmp_path)[:6]] if level == "info" else []
    )


def test_a_fault_of_the_program_is_told_at_every_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tried(tmp_path, {}, "error")
    said = capsys.readouterr().err
    assert " ERROR " in said and f"job {job} met a fault" in said and "Traceback" in said
