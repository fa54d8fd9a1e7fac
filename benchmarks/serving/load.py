"""Latency of the API while many clients poll and jobs are being made.

python benchmarks/serving/load.py --clients 50 --jobs 10
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx
import numpy as np
from running import Server, inputs


async def poll(address: str, number: int, jobs: list[str], seconds: dict[str, list[float]], failures: list[str],
               over: asyncio.Event) -> None:
    """One client: asks for a job, the list, the limits, in turns, once a second."""
    await asyncio.sleep(number / 50)
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        turn = number
        while not over.is_set():
            name, path = (("one job", f"/api/v1/jobs/{jobs[turn % len(jobs)]}"), ("list of jobs", "/api/v1/jobs"),
                          ("about", "/api/v1/about"), ("page", "/"))[turn % 4]
            begun = time.perf_counter()
            try:
                answer = await client.get(path)
                if answer.status_code != 200:
                    failures.append(f"{path}: {answer.status_code}")
            except httpx.HTTPError as error:
                failures.append(f"{path}: {error!r}")
            seconds[name].append(time.perf_counter() - begun)
            turn += 1
            await asyncio.sleep(1)


async def run(server: Server, clients: int, jobs: list[str]) -> tuple[dict[str, list[float]], list[str], float]:
    """Poll until all jobs have ended."""
    seconds: dict[str, list[float]] = defaultdict(list)
    failures: list[str] = []
    over, begun = asyncio.Event(), time.monotonic()
    tasks = [asyncio.create_task(poll(server.url, number, jobs, seconds, failures, over)) for number in range(clients)]
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        while True:
            found = (await client.get("/api/v1/jobs", params={"limit": 100})).json()["jobs"]
            if all(job["state"] in ("done", "failed", "cancelled") for job in found):
                break
            await asyncio.sleep(1)
    over.set()
    await asyncio.gather(*tasks)
    return seconds, failures, time.monotonic() - begun


def main() -> None:
    """Start, queue, poll, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--port", type=int, default=8718)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = inputs(Path(folder), given.seconds)
        server = Server(Path(folder) / "data", given.port, "--free-disk-gb", "0.01")
        photo, video, audio = (server.upload(path) for path in files)
        jobs = [server.submit(str(number), source=[photo], target=video, audio=audio,
                              options={"strength": 1 - number / 20}) for number in range(given.jobs)]
        seconds, failures, took = asyncio.run(run(server, given.clients, jobs))
        states = [server.client.get(f"/api/v1/jobs/{job}").json()["state"] for job in jobs]
        server.stop()
    print(f"{given.clients} clients, {given.jobs} jobs, {took:.0f} s; jobs done: {states.count('done')}; "
          f"failed requests: {len(failures)} {failures[:3] or ''}")
    print("| request | count | median ms | 95 % ms | 99 % ms | longest ms |\n|---|---|---|---|---|---|")
    for name, values in seconds.items():
        some = [1000 * float(np.percentile(values, share)) for share in (50, 95, 99, 100)]
        print(f"| {name} | {len(values)} | " + " | ".join(f"{value:.0f}" for value in some) + " |")


if __name__ == "__main__":
    main()
