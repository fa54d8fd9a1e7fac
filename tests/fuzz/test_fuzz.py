"""A little fuzzing; ``make fuzz MINUTES=60`` does more of the same."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Fuzzer, mutate
from kinds import KINDS

from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME

#: Mutated files of each kind.
EXAMPLES = 12
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counts memory as POSIX does")


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    if not (default_directory() / BUNDLE_NAME).exists():
        pytest.skip("needs the default weights")
    with Fuzzer(tmp_path) as fuzzer:
        for kind in KINDS:
            fuzzer.round(kind, 0, EXAMPLES)
    assert fuzzer.counts.failures == []
    assert set(fuzzer.counts.outcomes) == set(KINDS)
    refused = sum(counts["refused"] for counts in fuzzer.counts.outcomes.values())
    assert refused > 0, "no mutation did any harm"


def test_mutations() -> None:
    data = bytes(range(100))
    assert mutate(data, [("cut", 0.5, 0, b"x")]) == data[:50]
    assert mutate(data, [("set", 0.1, 0, b"abc")])[10:13] == b"abc"
    assert len(mutate(data, [("insert", 0.3, 0, b"abc")])) == 103
    assert (
        mutate(b"", [("flip", 0.3, 0, b"a"), ("repeat", 1, 1, b"a"), ("delete", 0, 1, b"a")]) == b""
    )


def test_a_reader_that_crashes_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Fuzzer(tmp_path) as fuzzer:
        path = tmp_path / "a.png"
        KINDS["PNG"].make(path)
        assert fuzzer.ask("PNG", path)["outcome"] == "read"
        assert fuzzer.process is not None
        os.kill(fuzzer.process.pid, signal.SIGSEGV)
        assert fuzzer.ask("PNG", path)["outcome"] == "crash"
        assert fuzzer.ask("PNG", path)["outcome"] == "read"
