"""Which processes the supervisor takes for alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swaptalk.serving.worker.supervisor import is_running

from ...waiting import until


def test_this_process_runs_and_one_that_ended_does_not() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_running(os.getpid()) and not is_running(ended.pid)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="zombies are told by /proc")
def test_a_process_that_nobody_has_asked_for_its_end_does_not_run() -> None:
    """So containers without an init process keep the workers of a server that was killed."""
    zombie = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_running(zombie.pid)
    assert zombie.stdin is not None
    zombie.stdin.close()
    until(lambda: not is_running(zombie.pid))
    os.kill(zombie.pid, 0)  # still listed
    zombie.wait()
