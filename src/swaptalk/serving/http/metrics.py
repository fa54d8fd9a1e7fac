"""Metrics for Prometheus: counts of jobs from the database, latencies of requests from this
process.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from swaptalk.serving.store.claims import WORKER_SECONDS
from swaptalk.serving.store.data_folder import DataFolder

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class _Collector:
    """Reads the database when Prometheus asks, so that workers need no metrics of their own."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data

    def collect(self) -> Iterable[Metric]:
        """All metrics that are rows."""
        rows = self._data.database.connection
        jobs = GaugeMetricFamily(
            "swaptalk_jobs", "Jobs by kind and state.", labels=("kind", "state")
        )
        for row in rows.execute("SELECT kind, state, count(*) AS n FROM jobs GROUP BY kind, state"):
            jobs.add_metric((row["kind"], row["state"]), row["n"])
        oldest = rows.execute(
            "SELECT min(created) AS at FROM jobs WHERE state = 'queued'"
        ).fetchone()["at"]
        waiting = GaugeMetricFamily(
            "swaptalk_oldest_waiting_seconds",
            "How long the oldest queued job has waited.",
            0.0 if oldest is None else time.time() - oldest,
        )
        ended = CounterMetricFamily(
            "swaptalk_jobs_ended", "Jobs that have ended.", labels=("kind", "state")
        )
        working = CounterMetricFamily(
            "swaptalk_job_seconds", "From first claim to end.", labels=("kind",)
        )
        frames = 0.0
        for row in rows.execute("SELECT name, value FROM totals"):
            name, *labels = str(row["name"]).split("_")
            if name == "jobs":
                ended.add_metric(labels, row["value"])
            elif name == "seconds":
                working.add_metric(labels, row["value"])
            elif name == "frames":
                frames = row["value"]
        alive = rows.execute(
            "SELECT count(*) FROM workers WHERE seen > ?", (time.time() - WORKER_SECONDS,)
        ).fetchone()
        stored = rows.execute(
            "SELECT coalesce(sum(bytes), 0) FROM (SELECT DISTINCT id, bytes FROM uploads)"
        ).fetchone()
        yield from (
            jobs,
            waiting,
            ended,
            working,
            CounterMetricFamily("swaptalk_frames", "Frames of finished renders.", frames),
            GaugeMetricFamily("swaptalk_workers", "Worker processes.", alive[0]),
            GaugeMetricFamily("swaptalk_upload_bytes", "Size of all uploads.", stored[0]),
            GaugeMetricFamily(
                "swaptalk_disk_free_bytes",
                "Room on the disk.",
                shutil.disk_usage(self._data.folder).free,
            ),
        )


class Metrics:
    """One registry for each server, so that several can live in one process.

    Args:
        data: where the jobs are.
    """

    def __init__(self, data: DataFolder) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(data))
        self.requests = Histogram(
            "swaptalk_request_seconds",
            "Time until a response began.",
            ("method", "status"),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)


class RequestTimes:
    """Measures how long each response takes to begin."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._requests = app, metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = time.perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = (
                    scope["method"]
                    if scope["method"] in ("GET", "HEAD", "POST", "DELETE")
                    else "other"
                )
                self._requests.labels(method, message["status"]).observe(
                    time.perf_counter() - begun
                )
            await send(message)

        await self._app(scope, receive, measured if scope["type"] == "http" else send)
