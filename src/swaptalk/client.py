"""Client of the HTTP API: upload, submit, wait with progress, download. Needs only Python.

```python
from swaptalk.client import Client

client = Client("http://127.0.0.1:8710")
job = client.submit(
    target=client.upload("scene.mp4"),
    source=[client.upload("me.jpg")],
    audio=client.upload("words.wav"),
    consent="I am the person in the photo and the voice.",
)
client.wait(job, told=lambda now: print(f"{now.progress:.0%}"))
client.download(job, "out.mp4")
```
"""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast
from urllib.parse import quote, urlencode

State = Literal["queued", "running", "done", "failed", "cancelled"]
#: Seconds between two looks at a job, and tries of a request that got no answer.
POLL_SECONDS, TRIES = 0.5, 4


class ApiError(Exception):
    """The server refused a request, or could not be reached.

    ``status`` is that of HTTP, 0 without an answer; ``problem`` the whole document (RFC 9457).
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, dict(problem)
        self.detail = str(problem.get("detail", f"the server answered {status}"))
        self.remedy: str | None = problem.get("remedy")
        self.field: str | None = problem.get("field")
        super().__init__(" ".join(filter(None, (self.detail, self.remedy))))


class JobFailedError(Exception):
    """A job that was waited for has failed or was cancelled."""

    def __init__(self, job: Job) -> None:
        self.job = job
        error = job.error or {"detail": f"The job was {job.state}.", "remedy": ""}
        super().__init__(f"{error['detail']} {error['remedy']}".strip())


@dataclass(frozen=True)
class Upload:
    """A file on the server. ``data`` is everything that the API says of it."""

    id: str
    name: str
    kind: Literal["photo", "video", "audio"]
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Job:
    """A job as it was when it was asked for. ``data`` is everything that the API says of it."""

    id: str
    kind: str
    state: State
    progress: float
    seconds_left: float | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    data: Mapping[str, Any] = field(repr=False)

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ("done", "failed", "cancelled")


class Client:
    """Talks to one server, with blocking calls; safe to use from several threads.

    Args:
        url: where it is.
        key: API key, if it asks for one.
        timeout: seconds to wait for an answer.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8710", key: str | None = None, timeout: float = 60.0
    ) -> None:
        self.url, self._timeout = url.rstrip("/"), timeout
        self._headers = {"User-Agent": "swaptalk-client"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request of the API, for what has no method here; returns the answer's JSON.

        Args:
            method: of HTTP.
            path: such as ``/api/v1/about``.
            body: sent as JSON; None for none.
            headers: further ones.

        Raises:
            ApiError: the server refused it or gave no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        more = {} if body is None else {"Content-Type": "application/json"}
        with self._open(method, path, data, {**more, **(headers or {})}) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _open(
        self,
        method: str,
        path: str,
        data: bytes | BinaryIO | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        request = urllib.request.Request(
            self.url + path, cast(Any, data), {**self._headers, **(headers or {})}, method=method
        )
        try:
            opened = urllib.request.urlopen(request, timeout=self._timeout)
            return cast(http.client.HTTPResponse, opened)
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _problem(error.read())) from None
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            detail = f"{self.url} does not answer ({reason})."
            raise ApiError(0, {"detail": detail, "remedy": "See whether it runs."}) from error

    def upload(self, path: str | Path, name: str | None = None) -> Upload:
        """Send a photo, video or recording.

        Args:
            path: the file; it is read while it is sent.
            name: what it is called on the server, instead of its own name.

        Raises:
            OSError: the file cannot be read.
            ApiError: the server does not take it.
        """
        path = Path(path)
        query = urlencode({"name": name or path.name})
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(path.stat().st_size),
        }
        with (
            path.open("rb") as file,
            self._open("POST", f"/api/v1/uploads?{query}", file, headers) as answer,
        ):
            return _upload(json.load(answer))

    def speak(self, text: str, voice: str | None = None, language: str = "en") -> Upload:
        """Have text spoken by a voice of the server; see :meth:`voices`."""
        body = {"text": text, "voice": voice, "language": language}
        return _upload(self.request("POST", "/api/v1/speech", body))

    def voices(self) -> list[dict[str, Any]]:
        """The voices that are installed: id, name, language, engine, terms, restricted."""
        return list(self.request("GET", "/api/v1/voices")["voices"])

    def inspect(self, upload: Upload, timeout: float | None = None) -> Mapping[str, Any]:
        """Wait for who was found in a photo or video: people, warnings, the picture's outlines.

        Raises:
            JobFailedError: it cannot be looked at.
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        now = self.request("GET", f"/api/v1/uploads/{upload.id}")
        return self.wait(_job(now["inspection"]), timeout=timeout).result or {}

    def submit(
        self,
        *,
        target: Upload | str,
        source: Sequence[Upload | str] = (),
        audio: Upload | str | None = None,
        kind: Literal["render", "preview"] = "render",
        consent: str | None = None,
        format: Literal["mp4", "webm", "mov", "gif", "webp"] = "mp4",
        subtitles: str | None = None,
        people: Sequence[Mapping[str, Any]] = (),
        turns: Sequence[Mapping[str, Any]] = (),
        options: Mapping[str, Any] | None = None,
        title: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        webhook: str | None = None,
        at: float | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Queue a job, once: when no answer comes it is asked for again with the same key.

        Args:
            target: the scene, an upload or its id.
            source: photos of one person; none keep the scene's person.
            audio: the words; None keeps the scene's.
            kind: a video, or a look at a few frames.
            consent: statement that the people seen and heard agreed; a render needs it.
            format: kind of the video file.
            subtitles: text of an .srt or .vtt file, timed from the beginning of the result.
            people: several people instead of ``source`` and ``audio``: each with ``face`` or
                ``like``, ``source`` and ``audio``, uploads by their ids.
            turns: who speaks when in ``audio``: each with ``start``, ``end`` and ``person``.
            options: those of ``swaptalk generate`` that concern the pictures.
            title: for people to read.
            reference: your own name of the job; it comes back in webhooks.
            metadata: your own words about it.
            webhook: address to be told when it has ended.
            at: only this moment (seconds) of a preview.
            idempotency_key: makes a repeated call give the same job; one is made if left out.

        Raises:
            ApiError: the server does not take it; ``field`` says what is at fault.
        """
        body = {
            "kind": kind,
            "target": _id(target),
            "source": [_id(one) for one in source],
            "audio": None if audio is None else _id(audio),
            "format": format,
            "subtitles": subtitles,
            "people": [dict(one) for one in people],
            "turns": [dict(one) for one in turns],
            "options": dict(options or {}),
            "consent": consent,
            "title": title,
            "reference": reference,
            "metadata": dict(metadata or {}),
            "webhook": webhook,
            "at": at,
        }
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        for left in reversed(range(TRIES)):
            try:
                return _job(self.request("POST", "/api/v1/jobs", body, headers))
            except ApiError as error:
                if error.status != 0 or not left:
                    raise
                time.sleep(POLL_SECONDS)
        raise AssertionError("unreachable")

    def job(self, job: Job | str) -> Job:
        """The job as it is now."""
        return _job(self.request("GET", f"/api/v1/jobs/{_id(job)}"))

    def jobs(self, reference: str | None = None) -> Iterable[Job]:
        """All renders, the newest first, or those with a reference."""
        query: dict[str, Any] = {"limit": 100, **({"reference": reference} if reference else {})}
        while True:
            page = self.request("GET", f"/api/v1/jobs?{urlencode(query)}")
            yield from map(_job, page["jobs"])
            if page["next"] is None:
                return
            query["before"] = page["next"]

    def wait(
        self,
        job: Job | str,
        told: Callable[[Job], object] = lambda now: None,
        timeout: float | None = None,
    ) -> Job:
        """Wait until a job is done.

        Args:
            job: which.
            told: called with the job whenever it has changed.
            timeout: seconds to wait at most; None for as long as it takes.

        Raises:
            JobFailedError: it failed or was cancelled.
            TimeoutError: it has not ended within ``timeout``; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        last = -1
        while True:
            now = self.job(job)
            if now.data["revision"] != last:
                last = now.data["revision"]
                told(now)
            if now.has_ended:
                break
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"job {now.id} is still {now.state}")
            time.sleep(POLL_SECONDS)
        if now.state != "done":
            raise JobFailedError(now)
        return now

    def cancel(self, job: Job | str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        return _job(self.request("POST", f"/api/v1/jobs/{_id(job)}/cancel"))

    def delete(self, thing: Job | Upload) -> None:
        """Delete a job that has ended, or an upload, for good."""
        kind = "jobs" if isinstance(thing, Job) else "uploads"
        self.request("DELETE", f"/api/v1/{kind}/{quote(thing.id)}")

    def download(self, job: Job | str, path: str | Path) -> Path:
        """Save the result of a job that is done; the file is there whole or not at all.

        Raises:
            ApiError: there is no result.
            OSError: the place cannot be written.
        """
        path = Path(path)
        with (
            self._open("GET", f"/api/v1/jobs/{_id(job)}/output") as answer,
            tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file,
        ):
            try:
                shutil.copyfileobj(answer, file)
                file.close()
                if answer.length:
                    raise ApiError(0, {"detail": "The download broke off."})
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        return path


def _id(thing: Job | Upload | str) -> str:
    return thing if isinstance(thing, str) else thing.id


def _upload(data: Mapping[str, Any]) -> Upload:
    return Upload(data["id"], data["name"], data["kind"], data)


def _job(data: Mapping[str, Any]) -> Job:
    names = ("id", "kind", "state", "progress", "seconds_left", "result", "error")
    return Job(**{name: data[name] for name in names}, data=data)


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:  # a proxy's page
        return {}
    return found if isinstance(found, dict) else {}
