r"""Measure the latency of the API while many clients poll and jobs run, and any standstill.

    python benchmarks/serving/load.py --clients 50 --jobs 10 --idle 30 \
        --report docs/reports/load.md

Writes the tables of docs/reports/load.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from textwrap import wrap

import httpx
import numpy as np
from running import Server, end, inputs
from watch import Watch

#: What the clients ask for, in turns; ``{}`` is the name of a job.
REQUESTS = {
    "one job": "/api/v1/jobs/{}",
    "list of jobs": "/api/v1/jobs",
    "about": "/api/v1/about",
    "page": "/",
}
SHARES = (50, 95, 99, 100)


def _client(address: str) -> httpx.AsyncClient:
    # Without `verify=False` each reads all certificates of the system: 40 ms of computing that hold
    # up all the others.
    return httpx.AsyncClient(base_url=address, timeout=60, verify=False)


class Clients:
    """Many clients that ask once a second each, and what became of their requests; they share one
    event loop.

    Args:
        address: of the server.
        count: how many.
        jobs: names of jobs to ask for.
        watch: told how long their loop stands still.
    """

    def __init__(self, address: str, count: int, jobs: list[str], watch: Watch) -> None:
        self._address, self._count, self._jobs, self._watch = address, count, jobs, watch
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.failures: list[str] = []

    async def _ask(self, number: int, over: asyncio.Event) -> None:
        await asyncio.sleep(number / self._count)
        async with _client(self._address) as client:
            turn = number
            while not over.is_set():
                name, path = list(REQUESTS.items())[turn % len(REQUESTS)]
                path = path.format(self._jobs[turn // len(REQUESTS) % len(self._jobs)])
                begun = time.perf_counter()
                try:
                    answer = await client.get(path)
                    if answer.status_code != 200:
                        self.failures.append(f"{path}: {answer.status_code}")
                except httpx.HTTPError as error:
                    self.failures.append(f"{path}: {error!r}")
                self.seconds[name].append(time.perf_counter() - begun)
                turn += 1
                await asyncio.sleep(1)

    async def run(self, seconds: float | None = None) -> float:
        """Ask for so long, or until all jobs have ended; returns the time it took."""
        over, begun = asyncio.Event(), time.monotonic()
        watching = asyncio.create_task(self._watch.watch_loop())
        tasks = [asyncio.create_task(self._ask(number, over)) for number in range(self._count)]
        if seconds is not None:
            await asyncio.sleep(seconds)
        else:
            async with _client(self._address) as client:
                ended = {"done", "failed", "cancelled"}
                while {
                    job["state"]
                    for job in (await client.get("/api/v1/jobs?limit=100")).json()["jobs"]
                } - ended:
                    await asyncio.sleep(1)
        over.set()
        await asyncio.gather(*tasks)
        watching.cancel()
        return time.monotonic() - begun

    def table(self, title: str) -> str:
        """The latencies in Markdown."""
        lines = [
            f"| {title} | count | "
            + " | ".join(
                "longest ms" if share == 100 else "median ms" if share == 50 else f"{share} % ms"
                for share in SHARES
            )
            + " |",
            "|---|---|" + "---|" * len(SHARES),
        ]
        for name in REQUESTS:
            some = [
                f"{1000 * float(np.percentile(self.seconds[name], share)):.0f}" for share in SHARES
            ]
            lines.append(f"| {name} | {len(self.seconds[name])} | " + " | ".join(some) + " |")
        return "\n".join(lines)


def _measure(
    server: Server,
    watch: Watch,
    files: tuple[Path, Path, Path],
    given: argparse.Namespace,
) -> tuple[Clients, Clients, float, list[str]]:
    """Clients without and with jobs in the queue, seconds that these took, and their states at the
    end.
    """
    photo, video, audio = (server.upload(path) for path in files)

    def submit(number: int) -> str:
        return server.submit(
            str(number),
            source=[photo],
            target=video,
            audio=audio,
            options={"strength": 1 - number / (2 * given.jobs)},
        )

    first = submit(0)
    while server.client.get(f"/api/v1/jobs/{first}").json()["state"] in ("queued", "running"):
        time.sleep(1)
    idle = Clients(server.url, given.clients, [first], watch)
    asyncio.run(idle.run(given.idle))
    jobs = [submit(number) for number in range(1, given.jobs + 1)]
    busy = Clients(server.url, given.clients, jobs, watch)
    took = asyncio.run(busy.run())
    return (
        idle,
        busy,
        took,
        [server.client.get(f"/api/v1/jobs/{job}").json()["state"] for job in jobs],
    )


def main() -> None:
    """Start, poll while idle, queue, poll, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2, help="length of each result")
    parser.add_argument(
        "--idle", type=float, default=30, help="seconds of polling before the jobs are queued"
    )
    parser.add_argument("--port", type=int, default=8718)
    parser.add_argument("--report", type=Path, help="write the tables to this Markdown file, too")
    given = parser.parse_args()
    busyness = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        watch = Watch(folder / "clients.json")
        idler = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("watch.py"), folder / "idler.json"]
        )
        try:
            with Server(
                folder / "data", given.port, "--free-disk-gb", "0.01", watch=folder / "server.json"
            ) as server:
                idle, busy, took, states = _measure(
                    server, watch, inputs(folder, given.seconds), given
                )
        finally:
            end(idler)
        watch.write()
        stood = {
            name: json.loads((folder / f"{name}.json").read_text())
            for name in ("server", "clients", "idler")
        }
        log = server.log()
    failures = idle.failures + busy.failures
    text = "\n\n".join(
        [
            f"{given.clients} clients that ask once a second each, {given.jobs} renders queued, "
            f"{os.cpu_count()} cores "
            f"(load average {busyness:.1f} before, {os.getloadavg()[0]:.1f} at the end): "
            f"{took:.0f} s; jobs done: {states.count('done')}; "
            f"failed requests: {len(failures)}.",
            busy.table("while rendering"),
            idle.table("while idle"),
            f"Longest standstill: {stood['server']['longest']['loop']:.2f} s of the server's event "
            "loop, "
            f"{stood['server']['longest']['thread']:.2f} s of a thread beside it, "
            f"{stood['clients']['longest']['loop']:.2f} s of the clients' event loop, "
            f"{stood['idler']['longest']['loop']:.2f} s of a process that only sleeps.",
        ]
    )
    print(text, *failures[:5], sep="\n")
    for name, one in stood.items():
        print(f"{name} stood still (when, seconds): {one['late']}", file=sys.stderr)
    print(log, file=sys.stderr)
    if given.report is not None:
        command = f"Written by `python {' '.join(sys.argv)}`; what it means is in "
        parts = ["# Load", f"{command}[serving.md](serving.md).", *text.split("\n\n")]
        wrapped = [part if part[0] in "#|" else "\n".join(wrap(part, 120)) for part in parts]
        given.report.write_text("\n\n".join(wrapped) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
