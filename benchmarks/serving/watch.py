"""Find standstills of a server's event loop, its process, or the whole machine.

    python benchmarks/serving/watch.py REPORT.json serve --port 8718 ...  # swaptalk, watched
    python benchmarks/serving/watch.py REPORT.json                        # an idle process

At the end (SIGTERM) the longest delays of a loop and of a thread that only sleep are written to the
report. When the loop stands still for more than a second, the stacks of all threads go to standard
error.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import uvicorn

TICK_SECONDS = 0.05
#: The loop is said to stand still after so many seconds without a tick.
STILL_SECONDS = 1.0
#: Delays above this many seconds are listed one by one.
LISTED_SECONDS = 0.5


class Watch:
    """Measures how late the ticks of the event loop and of a thread come."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._late: dict[str, list[tuple[float, float]]] = {"loop": [], "thread": []}
        self._most = {"loop": 0.0, "thread": 0.0}
        self._looped = 0.0  # time of the loop's last tick
        threading.Thread(target=self._watch_thread, daemon=True).start()

    def _note(self, who: str, late: float) -> None:
        self._most[who] = max(self._most[who], late)
        if late > LISTED_SECONDS:
            self._late[who].append((time.time(), late))

    async def watch_loop(self) -> None:
        """Run this in the loop."""
        try:
            while True:
                before = time.monotonic()
                await asyncio.sleep(TICK_SECONDS)
                self._looped = time.monotonic()
                self._note("loop", self._looped - before - TICK_SECONDS)
        finally:
            self._looped = 0.0  # it has ended, which is no standstill

    def _watch_thread(self) -> None:
        said = 0.0
        while True:
            before = time.monotonic()
            time.sleep(TICK_SECONDS)
            self._note("thread", time.monotonic() - before - TICK_SECONDS)
            if self._looped > said and time.monotonic() - self._looped > STILL_SECONDS:
                said = self._looped
                print(f"the loop stands still ({time.time():.1f})", file=sys.stderr)
                faulthandler.dump_traceback(all_threads=True)

    def write(self) -> None:
        """Write the report."""
        self._report.write_text(json.dumps({"longest": self._most, "late": self._late}))


def serve(watch: Watch, arguments: Sequence[str]) -> int:
    """Run swaptalk with a watched loop."""
    from swaptalk.cli.main import main as swaptalk

    startup = uvicorn.Server.startup

    async def watched(self: uvicorn.Server, sockets: object = None) -> None:
        asyncio.get_running_loop().create_task(watch.watch_loop(), name="watch")
        await startup(self, sockets)  # type: ignore[arg-type]

    uvicorn.Server.startup = watched  # type: ignore[method-assign]
    return swaptalk(arguments)


def main() -> int:
    """Watch until the end."""
    watch = Watch(Path(sys.argv[1]))
    try:
        if sys.argv[2:]:
            return serve(watch, sys.argv[2:])
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
        asyncio.run(watch.watch_loop())
    finally:
        watch.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
