"""Jobs: made, looked at, cancelled, fetched, deleted."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse, StreamingResponse

from swaptalk.serving.http.api.job_checks import check_job, find_inputs
from swaptalk.serving.http.api.uploads import deletion
from swaptalk.serving.http.context import Context, Owner, Server
from swaptalk.serving.http.events import MOST_STREAMS
from swaptalk.serving.http.problems import (
    ProblemError,
    documented,
    invalid,
    not_found,
    too_many_jobs,
)
from swaptalk.serving.http.schemas import (
    JOB_PATTERN,
    TEXT_LENGTH,
    JobChange,
    JobList,
    JobRequest,
    JobView,
)
from swaptalk.serving.http.webhooks import is_allowed
from swaptalk.serving.store.housekeeping import delete_job
from swaptalk.serving.store.job import Job, JobLabel, Kind, State
from swaptalk.serving.store.jobs import (
    InputGoneError,
    JobNotFoundError,
    KeyReusedError,
    TooManyJobsError,
)
from swaptalk.serving.store.uploads import Upload
from swaptalk.serving.store.workspace import Workspace
from swaptalk.serving.worker.pictures import frame_file
from swaptalk.serving.worker.tasks import POSTER, PREVIEW

JOBS_PATH = "/api/v1/jobs"
router = APIRouter(tags=["jobs"])
#: Options that a template holds: a job that sets them cannot use one.
TEMPLATE_OPTIONS = ("start", "end", "fps", "resolution")
_MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".png": "image/png",
    ".jpg": "image/jpeg",
}
JobId = Annotated[str, InPath(pattern=JOB_PATTERN)]
LastEvent = Annotated[str | None, Header(pattern=r"^[0-9]{1,15}$")]
#: What each event has.
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["job", "removed"]},
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "For `Last-Event-ID`."},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": _EVENT}},
        "description": "Events `job` (a job as JSON) and `removed`.",
    }
}


@router.post(
    JOBS_PATH,
    status_code=201,
    responses={
        200: {
            "model": JobView,
            "description": "The job that this Idempotency-Key has made before.",
        },
        **documented(400, 401, 404, 409, 413, 415, 422, 429, 507),
    },
)
def create_job(
    body: JobRequest,
    request: Request,
    response: Response,
    owner: Owner,
    server: Server,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> JobView:
    """Queue a job. With an `Idempotency-Key` a repeated request makes no second job."""
    server.check_room()
    uploads = find_inputs(body, owner, server)
    options = body.options.model_dump(exclude_unset=True)
    check_job(body, options, uploads, server)
    asked = {
        "target": body.target,
        "source": body.source,
        "audio": body.audio,
        "options": options,
        "people": [person.model_dump(exclude_none=True) for person in body.people],
        "turns": [turn.model_dump() for turn in body.turns],
        "still": uploads[0][1].kind == "photo"
        and body.audio is None
        and not any(person.audio for person in body.people),
        "format": body.format,
        "subtitles": body.subtitles,
        **({} if body.at is None else {"at": body.at}),
    }
    consent = _consent(body)
    _check_webhook(body, server)
    try:
        job, is_new = server.data.store.submit(
            owner,
            body.kind,
            asked,
            inputs=[(upload.id, field) for field, upload in uploads],
            consent=consent,
            template=_template(server, owner, body.target, options),
            webhook=body.webhook,
            idempotency_key=idempotency_key,
            label=_label(body, uploads, server.settings.public_url or str(request.base_url)),
            most_waiting=server.settings.max_waiting,
        )
    except KeyReusedError:
        raise ProblemError(
            409,
            "key-reused",
            "The key belongs to another request",
            "This Idempotency-Key was sent with a different job before.",
            field="Idempotency-Key",
            remedy="Take a new key.",
        ) from None
    except TooManyJobsError:
        raise too_many_jobs(server.settings.max_waiting) from None
    except InputGoneError:
        raise not_found("upload", "target") from None
    for _, upload in uploads:
        server.data.uploads.touch(owner, upload.id)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"{JOBS_PATH}/{job.id}"
    return JobView.of(job)


def _consent(body: JobRequest) -> dict[str, Any] | None:
    """The statement with its time; a render cannot do without.

    Raises:
        ProblemError: 422.
    """
    if body.consent is not None:
        return {"statement": body.consent, "given": time.time()}
    if body.kind == "render":
        raise invalid(
            "consent",
            "A statement that the people seen and heard agreed is needed.",
            remedy="Send it as `consent`; it is stored with the job.",
        )
    return None


def _check_webhook(body: JobRequest, server: Context) -> None:
    if body.webhook is not None and not is_allowed(body.webhook, server.settings.webhook_host):
        raise invalid(
            "webhook",
            "Webhooks to this address are not allowed.",
            remedy="Whoever runs the server can allow its host with --webhook-host.",
        )


def _label(body: JobRequest, uploads: list[tuple[str, Upload]], base_url: str) -> JobLabel:
    named = {field: upload.name for field, upload in uploads}
    names = {
        "target": named["target"],
        "source": [upload.name for field, upload in uploads if field == "source"],
        "audio": named.get("audio"),
    }
    return JobLabel(body.title, body.reference, body.metadata, names, base_url.rstrip("/"))


def _template(server: Context, owner: str, target: str, options: dict[str, Any]) -> str | None:
    """The finished template of a scene, unless the job asks for what a template decides."""
    if any(options.get(name) not in (None, 0) for name in TEMPLATE_OPTIONS):
        return None
    known = server.data.store.for_upload(owner, target, "template")
    return known.id if known is not None and known.state == "done" else None


@router.get(JOBS_PATH, responses=documented(401, 422))
def list_jobs(
    owner: Owner,
    server: Server,
    kind: Annotated[list[Kind], Query()] = ["render"],  # noqa: B006 - read only
    state: Annotated[list[State] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[float | None, Query(ge=0, le=1e12, allow_inf_nan=False)] = None,
    reference: Annotated[str | None, Query(max_length=TEXT_LENGTH)] = None,
) -> JobList:
    """The newest jobs; `before` (the last answer's `next`) gives those that follow."""
    revision = server.data.store.revision()
    jobs = server.data.store.newest(owner, kind, state, limit, before, reference)
    return JobList(
        jobs=[JobView.of(job) for job in jobs],
        revision=revision,
        next=repr(jobs[-1].created) if len(jobs) == limit else None,
    )


def _find(server: Context, owner: str, job: str) -> Job:
    try:
        return server.data.store.get(owner, job)
    except JobNotFoundError:
        raise not_found("job", "job") from None


@router.head(f"{JOBS_PATH}/{{job}}", include_in_schema=False)
@router.get(f"{JOBS_PATH}/{{job}}", responses=documented(401, 404, 422))
def get_job(job: JobId, owner: Owner, server: Server) -> JobView:
    """A job: how far it is, its result, or why it failed."""
    return JobView.of(_find(server, owner, job))


@router.patch(f"{JOBS_PATH}/{{job}}", responses=documented(400, 401, 404, 415, 422))
def change_job(job: JobId, body: JobChange, owner: Owner, server: Server) -> JobView:
    """Give a job another title."""
    try:
        return JobView.of(server.data.store.rename(owner, job, body.title))
    except JobNotFoundError:
        raise not_found("job", "job") from None


@router.post(f"{JOBS_PATH}/{{job}}/cancel", responses=documented(401, 404, 422))
def cancel_job(job: JobId, owner: Owner, server: Server) -> JobView:
    """Stop a job. One that has ended stays as it is."""
    try:
        return JobView.of(server.data.store.cancel(owner, job))
    except JobNotFoundError:
        raise not_found("job", "job") from None


@router.delete(f"{JOBS_PATH}/{{job}}", status_code=204, responses=documented(401, 404, 409, 422))
def remove_job(job: JobId, owner: Owner, server: Server) -> None:
    """Delete a job that has ended, with its result, for good."""
    with deletion("job"):
        delete_job(server.data, owner, job)


@router.head(f"{JOBS_PATH}/{{job}}/output", include_in_schema=False)
@router.get(
    f"{JOBS_PATH}/{{job}}/output",
    response_class=FileResponse,
    responses={
        200: {"content": {kind: {} for kind in _MEDIA_TYPES.values() if kind != "image/jpeg"}},
        206: {"description": "A part of it."},
        **documented(400, 401, 404, 409, 416, 422),
    },
)
def get_job_output(
    job: JobId, owner: Owner, server: Server, download: bool = False
) -> FileResponse:
    """The result: a video, or a picture. `download` makes browsers save it."""
    found = _find(server, owner, job)
    name = PREVIEW if found.kind == "preview" else (found.result or {}).get("file", "")
    if found.state != "done" or not name:
        raise ProblemError(
            409, "not-done", "There is no result", f"The job is {found.state}.", field="job"
        )
    return _published(server, found, name, download)


def _published(server: Context, job: Job, name: str, download: bool = False) -> FileResponse:
    path = Workspace(server.data.jobs, job.id).file(name)
    if not path.exists():
        raise not_found("result (any more)", "job")
    return FileResponse(
        path,
        media_type=_MEDIA_TYPES[path.suffix],
        filename=f"swaptalk-{job.id[:8]}{path.suffix}" if download else None,
    )


@router.head(f"{JOBS_PATH}/{{job}}/poster", include_in_schema=False)
@router.get(
    f"{JOBS_PATH}/{{job}}/poster",
    response_class=FileResponse,
    responses={200: {"content": {"image/jpeg": {}}}, **documented(400, 401, 404, 416, 422)},
)
def get_job_poster(job: JobId, owner: Owner, server: Server) -> FileResponse:
    """A picture of a finished render."""
    return _published(server, _find(server, owner, job), POSTER)


@router.head(f"{JOBS_PATH}/{{job}}/frames/{{index}}/{{picture}}", include_in_schema=False)
@router.get(
    f"{JOBS_PATH}/{{job}}/frames/{{index}}/{{picture}}",
    response_class=FileResponse,
    responses={200: {"content": {"image/jpeg": {}}}, **documented(400, 401, 404, 416, 422)},
)
def get_preview_picture(
    job: JobId,
    index: Annotated[int, InPath(ge=0, le=99)],
    picture: Annotated[
        Literal["before", "after", "face-before", "face-after"], InPath(description="Which.")
    ],
    owner: Owner,
    server: Server,
) -> FileResponse:
    """A picture of a preview's frame."""
    return _published(server, _find(server, owner, job), frame_file(index, picture))


@router.get(
    f"{JOBS_PATH}/{{job}}/events",
    responses={**_EVENTS, **documented(401, 404, 422, 429)},
    response_class=StreamingResponse,
)
async def get_job_events(
    job: JobId,
    owner: Owner,
    server: Server,
    last_event_id: LastEvent = None,
) -> StreamingResponse:
    """Changes of one job as server-sent events, from its present state to its end."""
    # No request may wait for the disk in the event loop.
    await asyncio.to_thread(_find, server, owner, job)
    return _stream(server, owner, -1 if last_event_id is None else int(last_event_id), job)


@router.get(
    "/api/v1/events",
    responses={**_EVENTS, **documented(401, 422, 429)},
    response_class=StreamingResponse,
)
async def get_events(
    owner: Owner,
    server: Server,
    after: Annotated[int, Query(ge=0, le=10**15)] = 0,
    last_event_id: LastEvent = None,
) -> StreamingResponse:
    """Changes of all your jobs as server-sent events, from a `revision` on."""
    return _stream(server, owner, after if last_event_id is None else int(last_event_id))


def _stream(server: Context, owner: str, after: int, job: str | None = None) -> StreamingResponse:
    if server.changes.streams >= MOST_STREAMS:
        raise ProblemError(
            429,
            "too-many-streams",
            "Too many listeners",
            "Ask for the job instead of listening.",
            {"Retry-After": "10"},
            limit=MOST_STREAMS,
        )
    return StreamingResponse(
        server.changes.stream(owner, after, job),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )
