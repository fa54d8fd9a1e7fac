"""How far a job is, on terminals, in files and on terminals that do not know their width."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from swaptalk.cli.progress import LINE_SECONDS, Counter, ProgressLines, shown_progress
from swaptalk.pipeline.progress import Progress


def test_lines_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    """One every few seconds, with rate and rest; none for a stage that is over sooner."""
    moments = iter([0.0, 1.0, LINE_SECONDS + 1, LINE_SECONDS + 2, 20.0, 21.0])
    progress = ProgressLines(lambda: next(moments))
    progress.note("a.mp4: HDR")
    progress.begin("generate", 200, 20)
    for _ in range(4):
        progress.advance(15)
    progress.end()
    progress.begin("short", 3)
    assert capsys.readouterr().err.splitlines() == [
        "swaptalk: note: a.mp4: HDR",
        "swaptalk: generate: 50 of 200 frames (25%), 5.0 a second, 30 s left",
        "swaptalk: generate: 80 of 200 frames (40%), 3.0 a second, 40 s left",
    ]


def test_parts_are_counted_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
    count = Counter(ProgressLines(lambda: next(moments), "unit"))
    count("faces", 20, 40)
    count("faces", 10, 30)  # again from the beginning
    count("networks", 1, 2)
    count.end()
    assert capsys.readouterr().err.splitlines() == [
        "swaptalk: faces: 20 of 40 units (50%), 2.0 a second, 10 s left",
        "swaptalk: faces: 10 of 30 units (33%), 1.0 a second, 20 s left",
        "swaptalk: networks: 1 of 2 units (50%), 0.1 a second, 10 s left",
    ]


def test_what_is_shown_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert type(shown_progress(silent=True)) is Progress
    assert isinstance(shown_progress(silent=False), ProgressLines)
    assert capsys.readouterr().err == ""


_JOB = """
from swaptalk.cli.progress import shown_progress
progress = shown_progress(False)
progress.note("a.mp4: HDR")
progress.begin("generate", 40)
for _ in range(4):
    progress.advance(10)
progress.end()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.parametrize("size", [(0, 0), (0, 60), (24, 60)])
def test_bars_on_terminals(size: tuple[int, int]) -> None:
    """Also where the terminal does not know its lines and columns, as in many containers."""
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    job = subprocess.Popen([sys.executable, "-c", _JOB], stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:
        pass  # the end, on Linux
    os.close(ours)
    assert job.wait() == 0
    lines = [line.split("\r")[-1] for line in said.decode().rstrip().split("\r\n")]
    assert lines[:2] == [
        "swaptalk: reading the inputs and loading the networks",
        "swaptalk: note: a.mp4: HDR",
    ]
    assert len(lines) == 3 and "generate: 100%" in lines[2] and "40/40" in lines[2]
