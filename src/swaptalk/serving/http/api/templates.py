"""Templates: scenes that were analysed once, so that further videos in them are made faster."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from swaptalk.serving.http.api.jobs import JOBS_PATH
from swaptalk.serving.http.api.uploads import find_upload
from swaptalk.serving.http.context import Owner, Server
from swaptalk.serving.http.problems import documented, invalid, not_found, too_many_jobs
from swaptalk.serving.http.schemas import UPLOAD_PATTERN, JobView
from swaptalk.serving.store.jobs import InputGoneError, TooManyJobsError

router = APIRouter(tags=["templates"])


class TemplateRequest(BaseModel):
    """A scene to be analysed for later."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(
        pattern=UPLOAD_PATTERN, description="Upload: the video that gives the scene."
    )
    face: str = Field(
        "largest", pattern=r"^(largest|left|right|[0-9]{1,4})$", description="Whose face, usually."
    )


class TemplateList(BaseModel):
    """The templates, the newest first; each is a job."""

    templates: list[JobView]


@router.post(
    "/api/v1/templates",
    status_code=201,
    responses={
        200: {"model": JobView, "description": "There is one already."},
        **documented(400, 401, 404, 415, 422, 429, 507),
    },
)
def create_template(
    body: TemplateRequest, response: Response, owner: Owner, server: Server
) -> JobView:
    """Analyse a scene once. Jobs in it take the template by themselves as soon as it is done; it is
    listed and deleted like any job, with the kind `template`.
    """
    server.check_room()
    target = find_upload(server, owner, body.target, "target")
    if target.kind != "video":
        raise invalid("target", "Only a video is worth a template.")
    known = server.data.store.for_upload(owner, target.id, "template")
    if known is not None and known.state in ("queued", "running", "done"):
        response.status_code = 200
        return JobView.of(known)
    try:
        job, _ = server.data.store.submit(
            owner,
            "template",
            body.model_dump(),
            inputs=[(target.id, "target")],
            most_waiting=server.settings.max_waiting,
        )
    except TooManyJobsError:
        raise too_many_jobs(server.settings.max_waiting) from None
    except InputGoneError:
        raise not_found("upload", "target") from None
    response.headers["Location"] = f"{JOBS_PATH}/{job.id}"
    return JobView.of(job)


@router.get("/api/v1/templates", responses=documented(401))
def list_templates(owner: Owner, server: Server) -> TemplateList:
    """Your templates."""
    return TemplateList(
        templates=[JobView.of(job) for job in server.data.store.newest(owner, ["template"])]
    )
