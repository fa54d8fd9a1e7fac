"""The program's side of a decoding process: requests, streams, and one error if it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.limits import Limits, variable
from swaptalk.media.sandbox.memory import SLOTS, SharedMemory
from swaptalk.media.sandbox.wire import BrokenWireError, Message, receive, send

#: Slots begin at multiples of this many bytes, for fast copies.
_ALIGNMENT = 4096
#: Reading through a file takes longer for large ones: this many bytes a second come from a slow
#: disk or network.
_SLOW_DISK = 10e6
#: Seconds in which the process must have started; on a busy machine it takes two.
_START_SECONDS = 120
#: One thread for NumPy, which only copies there, and few heaps, so that memory tells of pictures
#: and not of threads.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
_CONVERT = "convert it with another program, or leave it out"


class DecoderProcess:
    """Starts and controls a decoding process. Not thread-safe.

    Args:
        limits: what it may take.

    Raises:
        SwapTalkError: it cannot be started.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.path = Path()
        self.peak_memory = 0
        #: Moment (monotonic) by which the process must have answered, for the watchdog; None:
        #: nothing is awaited.
        self.deadline: float | None = None
        self.expired = False
        self.filtered = False
        self._seconds = float(_START_SECONDS)
        self._memory = SharedMemory()
        self._slot_bytes = 0
        self._turn = 0
        self._streaming = False
        self._process = self._start()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def _start(self) -> subprocess.Popen[bytes]:
        # The same modules as here, and never those of the working folder.
        start = "from swaptalk.media.sandbox.child import main; main()"
        code = f"import sys; sys.path[:] = {sys.path!r}; {start}"
        memory = self._memory.file
        quiet = os.environ.get("SWAPTALK_DEBUG", "0") in ("", "0")
        try:
            return subprocess.Popen(
                [sys.executable, "-c", code, *([] if memory is None else [str(memory)])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if quiet else None,
                pass_fds=() if memory is None else (memory,),
                env={**os.environ, **_ENVIRONMENT},
            )
        except OSError as error:
            self._memory.close()
            raise SwapTalkError(
                f"no process for decoding can be started ({error.strerror or error})",
                remedy="close other programs, or raise the number of processes you may have",
            ) from error

    @property
    def process_id(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Return whether the process answers requests."""
        return self._process.poll() is None and not self._requests.closed

    def wait_ready(self) -> None:
        """Return when it has started.

        Raises:
            SwapTalkError: it did not.
        """
        try:
            self.filtered = bool(self._hear().get("filtered"))
        except InputError as error:
            raise SwapTalkError(
                "the process for decoding did not start",
                remedy="set SWAPTALK_DEBUG=1 to see why, and check the installation",
            ) from error

    def begin(self, path: Path) -> None:
        """Set the file of the next requests; its size decides how long an answer may take."""
        self.path = path
        self._seconds = self.limits.decoder_seconds + path.stat().st_size / _SLOW_DISK

    def ask(self, request: Message) -> Message:
        """Send a request and wait for the answer.

        Raises:
            InputError: the file cannot be used, takes too much memory or time, or makes the decoder
                crash.
        """
        self.stop()
        self._say({**request, "path": str(self.path.resolve()), "seconds": self._seconds})
        return self._hear()

    def read(self, reader: str, *arguments: Any) -> Any:
        """Run a reader of :data:`swaptalk.media.sandbox.child.READERS` on the file.

        Returns:
            The result, as JSON; not to be trusted.

        Raises:
            InputError: as :meth:`ask`.
        """
        return self.ask({"do": "read", "reader": reader, "arguments": arguments}).get("content")

    def share(self, slot_bytes: int) -> None:
        """Grow the shared memory for items of at most so many bytes."""
        slot_bytes = -(-slot_bytes // _ALIGNMENT) * _ALIGNMENT
        name = self._memory.grow(slot_bytes * SLOTS)
        self._slot_bytes = slot_bytes
        self.ask({"do": "share", "slot": slot_bytes, "bytes": self._memory.size, "name": name})

    def empty_memory(self) -> None:
        """Release the pages of the shared memory."""
        self._memory.empty()

    def stream(
        self,
        request: Message,
        wanted: Callable[[], Message] | None = None,
    ) -> Generator[NDArray[np.uint8], None, None]:
        """Yield what the process sends in answer, each a new array of bytes. Closing the generator
        stops it.

        Args:
            request: the question.
            wanted: called for the next numbers of frames when the process has used up those it has.

        Raises:
            InputError: as :meth:`ask`.
            ValueError: another stream of this process has begun since.
        """
        self.stop()
        self._turn += 1
        turn = self._turn
        self._streaming = True
        self._say({**request, "path": str(self.path.resolve()), "seconds": self._seconds})
        try:
            while True:
                answer = self._hear()
                if "end" in answer:
                    self._streaming = False
                    return
                if "want" in answer and wanted is not None:
                    self._say(wanted())
                    continue
                piece = self._piece(answer)
                self._say({"free": 1})
                yield piece
                if turn != self._turn:
                    raise ValueError("another reading of this file has begun")
        finally:
            if turn == self._turn:
                self.stop()

    def _piece(self, answer: Message) -> NDArray[np.uint8]:
        slot, count = answer.get("slot"), answer.get("bytes")
        if not isinstance(slot, int) or not isinstance(count, int):
            raise self._nonsense()
        if not (0 <= slot < SLOTS and 0 <= count <= self._slot_bytes):
            raise self._nonsense()
        return np.array(np.frombuffer(self._memory.view, np.uint8, count, slot * self._slot_bytes))

    def stop(self) -> None:
        """End a stream that still runs."""
        if not self._streaming:
            return
        self._turn += 1
        self._say({"stop": True})
        try:
            while "end" not in self._hear():
                pass
        except InputError:
            pass  # it went wrong by itself meanwhile; nobody is interested any more
        self._streaming = False

    def _say(self, message: Message) -> None:
        try:
            send(self._requests, message)
        except BrokenWireError as error:
            raise self._died() from error

    def _hear(self) -> Message:
        self.deadline = time.monotonic() + self._seconds
        try:
            answer = receive(self._answers)
        except BrokenWireError as error:
            raise self._died() from error
        finally:
            self.deadline = None
        peak = answer.get("peak")
        if isinstance(peak, int):
            self.peak_memory = max(self.peak_memory, peak)
        if "error" in answer:
            self._streaming = False
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: Message) -> InputError:
        problem, remedy = str(answer.get("problem"))[:1000], str(answer.get("remedy"))[:1000]
        if answer["error"] == "input":
            return InputError(problem, path=self.path, remedy=remedy)
        if answer["error"] == "memory":
            return self._too_large()
        return InputError(f"cannot be decoded ({problem})", path=self.path, remedy=_CONVERT)

    def _too_large(self) -> InputError:
        return InputError(
            f"decoding it takes more than {self.limits.decoder_memory_mb:g} MB of memory",
            path=self.path,
            remedy=f"scale it down, or raise {variable('decoder_memory_mb')}",
        )

    def _nonsense(self) -> InputError:
        self.close()
        return InputError("made the decoder answer nonsense", path=self.path, remedy=_CONVERT)

    def _died(self) -> InputError:
        """Make the error that says why the process is gone, and close it."""
        self._streaming = False
        expired = self.expired
        self.close()
        code = self._process.returncode
        if expired or (os.name == "posix" and code == -signal.SIGXCPU):
            return InputError(
                f"decoding it takes more than {self._seconds:.0f} s without a result",
                path=self.path,
                remedy=f"convert it, or raise {variable('decoder_seconds')}",
            )
        name = signal.Signals(-code).name if os.name == "posix" and code < 0 else f"code {code}"
        return InputError(f"the decoder crashed on it ({name})", path=self.path, remedy=_CONVERT)

    def kill(self) -> None:
        """Kill the process; waiting requests raise."""
        self._process.kill()

    def close(self) -> None:
        """End the process and release its resources."""
        for stream in (self._requests, self._answers):
            try:
                stream.close()
            except OSError:
                pass  # what was still to be written goes nowhere
        self._process.kill()
        self._process.wait()
        self._memory.close()

    def abandon(self) -> None:
        """Forget the process in a forked copy of its program: it belongs to the original."""
        for stream in (self._requests, self._answers):
            os.close(stream.fileno())
        self._process.returncode = 0  # not ours to wait for
