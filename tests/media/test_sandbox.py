"""The decoding process: what it may not do, how it dies, and that its program lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.audio import read_audio, stream_audio
from swaptalk.media.probe import probe
from swaptalk.media.sandbox import pool
from swaptalk.media.sandbox.usage import peak_resident_bytes
from swaptalk.media.video_reader import VideoReader

from ..waiting import until_ended

Make = Callable[..., Path]
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX signals and limits")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="system call filter and /proc")


def process_of(reader: VideoReader) -> int:
    return reader._process.process_id


def refused(match: str, read: Callable[[], object]) -> str:
    with pytest.raises(InputError, match=match) as caught:
        read()
    message = str(caught.value)
    assert "\n" not in message and "; " in message
    return message


FORBIDDEN = """
import os, socket, subprocess, sys, threading
from pathlib import Path
from swaptalk.media.sandbox import confine

folder = Path(sys.argv[1])
confine.limit_resources(512 << 20)
assert confine.filter_system_calls()
attempts = {
    "network": lambda: socket.create_connection(("127.0.0.1", 9)),
    "local socket": lambda: socket.socketpair(),
    "program": lambda: subprocess.run(["true"]),
    "fork": os.fork,
    "new file": lambda: (folder / "new").write_text("x"),
    "old file": lambda: (folder / "old").open("r+"),
    "delete": lambda: (folder / "old").unlink(),
    "rename": lambda: (folder / "old").rename(folder / "new"),
    "permissions": lambda: (folder / "old").chmod(0o777),
    "signal": lambda: os.kill(os.getppid(), 0),
    "memory": lambda: bytearray(600 << 20),
}
def attempt(name):
    try:
        attempts[name]()
    except (PermissionError, MemoryError):
        return
    print(name, flush=True)

for name in attempts:
    attempt(name)
thread = threading.Thread(target=attempt, args=["network"])
thread.start()
thread.join()
assert (folder / "old").read_text() == "kept" and bytearray(100 << 20)
print("done", flush=True)
"""


@LINUX
def test_what_the_process_may_not_do(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("kept")
    code = f"import sys; sys.path[:] = {sys.path!r}\n{FORBIDDEN}"
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert result.stdout == "done\n", result.stdout + result.stderr


@LINUX
def test_the_filter_is_in_force_where_files_are_decoded(make_video: Make) -> None:
    with VideoReader(make_video(frames=5)) as reader:
        status = Path(f"/proc/{process_of(reader)}/status").read_text()
        limits = Path(f"/proc/{process_of(reader)}/limits").read_text()
        assert process_of(reader) != os.getpid() and reader._process.filtered
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    lines = {line[:26].strip(): line[26:].split() for line in limits.splitlines()}
    assert lines["Max data size"][0] == str(2048 << 20) and lines["Max file size"][0] == "0"


@POSIX
def test_a_crash_is_one_line_and_the_next_file_is_read(make_video: Make) -> None:
    path = make_video(frames=40)
    with VideoReader(path) as reader:
        frames = reader.frames()
        next(frames)
        os.kill(process_of(reader), signal.SIGSEGV)
        assert str(path) in refused(r"the decoder crashed on it \(SIGSEGV\)", lambda: list(frames))
        refused("crashed", lambda: list(reader.frames()))
    with VideoReader(path) as reader:
        assert sum(1 for _ in reader.frames()) == 40


@POSIX
def test_a_decoder_that_hangs_is_ended(make_video: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(frames=40)
    monkeypatch.setenv("SWAPTALK_DECODER_SECONDS", "1")
    with VideoReader(path) as reader:
        os.kill(process_of(reader), signal.SIGSTOP)
        refused(
            "more than 1 s without a result; .*SWAPTALK_DECODER_SECONDS",
            lambda: list(reader.frames()),
        )


@LINUX
def test_memory_is_limited(make_video: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.full((2160, 3840, 3), 90, np.uint8)
    path = make_video("large.mp4", frames=2, picture=lambda _: large)
    monkeypatch.setenv("SWAPTALK_DECODER_MEMORY_MB", "80")
    refused(
        "more than 80 MB of memory; .*raise SWAPTALK_DECODER_MEMORY_MB",
        lambda: list(VideoReader(path).frames()),
    )
    monkeypatch.delenv("SWAPTALK_DECODER_MEMORY_MB")
    with VideoReader(path) as reader:
        assert next(reader.frames()).shape == large.shape


@LINUX
def test_the_process_ends_with_its_program(make_video: Make) -> None:
    code = (
        f"import sys, time; sys.path[:] = {sys.path!r}; from swaptalk.media.video_reader import "
        "VideoReader\n"
        "reader = VideoReader(sys.argv[1]); print(reader._process.process_id, flush=True); "
        "time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(make_video(frames=5))], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        decoder = int(program.stdout.readline())
        assert Path(f"/proc/{decoder}").exists()
        program.kill()
    until_ended(decoder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_copy_starts_processes_of_its_own(make_video: Make) -> None:
    path = make_video(frames=5)
    probe(path)  # leaves an idle process that the copy must not talk to
    copy = os.fork()
    if copy == 0:
        try:
            os._exit(0 if len(list(VideoReader(path).frames())) == 5 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(copy, 0)[1] == 0
    assert probe(path).video is not None


def test_processes_are_used_again_and_few_stay(make_video: Make) -> None:
    path = make_video(frames=5)
    with VideoReader(path) as reader:
        first = process_of(reader)
    with VideoReader(path) as reader:
        assert process_of(reader) == first
    readers = [VideoReader(path) for _ in range(pool.MAX_IDLE + 1)]
    assert len({process_of(reader) for reader in readers}) == pool.MAX_IDLE + 1
    for reader in readers:
        reader.close()
    assert len(pool._idle) == pool.MAX_IDLE


def test_the_first_one_may_be_started_before_it_is_needed(
    make_video: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(frames=5)
    monkeypatch.setattr(pool, "_idle", [])
    monkeypatch.setattr(pool, "_early", None)
    pool.prepare()
    pool.prepare()
    with VideoReader(path) as reader:
        assert not pool._idle
        first = process_of(reader)
    (idle,) = pool._idle
    assert idle.process_id == first
    idle.close()


def test_readings_that_are_broken_off(
    make_video: Make, frame_number: Callable[[np.ndarray], int]
) -> None:
    with VideoReader(make_video(frames=30)) as reader:
        first = reader.frames()
        assert frame_number(next(first)) == 0
        second = reader.frames([7, 3, 9])
        assert frame_number(next(second)) == 7
        with pytest.raises(ValueError, match="another reading"):
            next(first)
        assert [frame_number(frame) for frame in second] == [3, 9]
        with pytest.raises(IndexError):
            list(reader.frames([1, 2, 30]))
        assert frame_number(next(reader.frames([29]))) == 29


def test_numbers_are_taken_only_when_needed(
    make_video: Make, frame_number: Callable[[np.ndarray], int]
) -> None:
    taken: list[int] = []

    def live() -> Iterator[int]:
        for index in range(20):
            taken.append(index)
            yield index

    with VideoReader(make_video(frames=30)) as reader:
        frames = reader.frames(live())
        assert frame_number(next(frames)) == 0
        assert len(taken) <= 6  # one to look ahead, and what fits into the slots
        assert [frame_number(frame) for frame in frames] == list(range(1, 20))


def test_sound_is_stopped_early_and_read_again(make_sound: Make) -> None:
    path = make_sound("long.wav", np.linspace(-0.5, 0.5, 48000 * 60))
    blocks = stream_audio(path)
    first = next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert np.array_equal(read_audio(path)[:16000], first)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("MAX_FILE_GB", "1e-6", "the file has .* GB, beyond the limit"),
        ("MAX_VIDEO_MEGAPIXELS", "0.001", "pictures of 128x64 are too large, beyond the limit"),
        ("MAX_MEDIA_HOURS", "1e-5", "beyond the limit"),
        ("DECODER_SECONDS", "soon", "DECODER_SECONDS=soon is not a number above 0"),
        ("MAX_FILE_GB", "-1", "MAX_FILE_GB=-1 is not a number above 0"),
    ],
)
def test_limits_of_files(
    make_video: Make, monkeypatch: pytest.MonkeyPatch, name: str, value: str, match: str
) -> None:
    path = make_video(frames=10)
    monkeypatch.setenv(f"SWAPTALK_{name}", value)
    assert f"SWAPTALK_{name}" in refused(match, lambda: probe(path))
    monkeypatch.delenv(f"SWAPTALK_{name}")
    assert probe(path).video is not None


@pytest.mark.parametrize(
    ("name", "encoder", "pixels"), [("a.avi", "zmbv", "bgr0"), ("b.mkv", "snow", "yuv420p")]
)
def test_codecs_that_nobody_looks_at(
    make_video: Make, name: str, encoder: str, pixels: str
) -> None:
    if encoder not in av.codecs_available:
        pytest.skip(f"no encoder for {encoder}")
    path = make_video(
        name, frames=5, encoder=encoder, pixel_format=pixels, video_options={"strict": "-2"}
    )
    refused(
        f"nothing in it is of a kind that is read \\({encoder}\\); convert it to H.264",
        lambda: probe(path),
    )


def test_a_header_that_promises_a_year(make_video: Make) -> None:
    path = make_video("year.mkv", stamps=[Fraction(0), Fraction(1, 25), Fraction(365 * 86400)])
    refused("8760 hours.*SWAPTALK_MAX_MEDIA_HOURS", lambda: probe(path))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts right by itself")
def test_a_process_counts_its_own_memory_and_not_its_starters() -> None:
    filled = np.ones(300_000_000, np.uint8)
    code = (
        "from swaptalk.media.sandbox.usage import peak_resident_bytes; print(peak_resident_bytes())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert peak_resident_bytes() > filled.nbytes > 2 * int(said.stdout)
