"""Server-sent events: one query of the database serves all listeners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from swaptalk.serving.http.schemas import JobView
from swaptalk.serving.store.jobs import JobStore

#: Seconds between two looks for changes.
POLL_SECONDS = 0.3
#: A comment goes out after so many silent seconds, so that proxies keep the connection and dead
#: ones are noticed.
KEEP_ALIVE_SECONDS = 15.0
#: Streams open at the same time; each is a connection and a task, so this bounds memory.
MOST_STREAMS = 200


class Changes:
    """Notifies streams of changed jobs; queries only while somebody listens."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._revision = -1
        self._changed = asyncio.Condition()
        self._watcher: asyncio.Task[None] | None = None
        self.streams = 0
        self.closing = False

    async def _watch(self) -> None:
        while self.streams and not self.closing:
            latest = await asyncio.to_thread(self._store.revision)
            if latest != self._revision:
                self._revision = latest
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(POLL_SECONDS)
        async with self._changed:
            self._changed.notify_all()

    async def stream(self, owner: str, after: int, job: str | None = None) -> AsyncIterator[str]:
        """Events of an owner's jobs (or one of them) after a revision, which is also their ``id``.

        ``job`` events carry the job as JSON, ``removed`` events its name.
        """
        self.streams += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            yield "retry: 2000\n\n"
            while not self.closing:
                seen = self._revision
                jobs, gone = await asyncio.to_thread(self._store.changes, owner, after, job)
                for one in jobs:
                    yield _event("job", one.revision, JobView.of(one).model_dump_json())
                for name, revision in gone:
                    yield _event("removed", revision, json.dumps({"id": name}))
                after = max(
                    [after, *(one.revision for one in jobs), *(revision for _, revision in gone)]
                )
                if job is not None and (gone or (jobs and jobs[-1].has_ended)):
                    return
                if not await self._wait(seen):
                    yield ": still here\n\n"
        finally:
            self.streams -= 1

    async def _wait(self, seen: int) -> bool:
        """Wait for a change after the state that was seen; False if there was none for long."""
        async with self._changed:
            try:
                await asyncio.wait_for(
                    self._changed.wait_for(lambda: self._revision != seen or self.closing),
                    KEEP_ALIVE_SECONDS,
                )
            except asyncio.TimeoutError:
                return False
        return True


def _event(kind: str, revision: int, data: str) -> str:
    return f"event: {kind}\nid: {revision}\ndata: {data}\n\n"
