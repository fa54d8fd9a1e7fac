"""Pydantic models of the API, from which the OpenAPI description is made."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from swaptalk.serving.http.job_options import JobOptions
from swaptalk.serving.http.results import Result, result_of
from swaptalk.serving.store.job import Job, Kind, State, output_path
from swaptalk.serving.store.uploads import Upload, UploadKind

UPLOAD_PATTERN = r"^[0-9a-f]{64}$"
JOB_PATTERN = r"^[0-9a-f]{20}$"
CONSENT_LENGTH = (10, 1900)
MOST_PHOTOS, MOST_PEOPLE = 8, 8
#: Endings of the videos that can be asked for.
OutputKind = Literal["mp4", "webm", "mov", "gif", "webp"]
#: Longest title, reference and word of metadata.
TEXT_LENGTH = 200
_Word = Annotated[str, StringConstraints(max_length=500)]


def _visible(statement: str | None) -> str | None:
    """A statement without blanks around it.

    Raises:
        ValueError: too few characters that can be seen.
    """
    if statement is None:
        return None
    statement = statement.strip()
    seen = sum(one.isprintable() and not one.isspace() for one in statement)
    if seen < CONSENT_LENGTH[0]:
        raise ValueError(f"at least {CONSENT_LENGTH[0]} characters that can be seen are needed")
    return statement


_EXAMPLE_UPLOADS = {
    name: letter * 64 for name, letter in (("target", "a"), ("source", "b"), ("audio", "c"))
}
_JOB_EXAMPLE: dict[str, Any] = {
    "target": _EXAMPLE_UPLOADS["target"],
    "source": [_EXAMPLE_UPLOADS["source"]],
    "audio": _EXAMPLE_UPLOADS["audio"],
    "options": {"quality": "high"},
    "consent": "I am the person in the photo and the voice.",
    "title": "Welcome, in Portuguese",
    "reference": "order-4711",
    "metadata": {"customer": "Silva"},
}


class PersonRequest(BaseModel):
    """One of several people of the scene, and what becomes of them."""

    model_config = ConfigDict(extra="forbid")

    face: str | None = Field(
        None,
        pattern=r"^(largest|left|right|[0-9]{1,4})$",
        description="Who: by side, size or the number of the inspection.",
    )
    like: str | None = Field(
        None, pattern=UPLOAD_PATTERN, description="Upload: a photo of who is meant, instead."
    )
    source: list[str] = Field(
        default_factory=list, max_length=MOST_PHOTOS, description="Uploads: photos to put there."
    )
    source_face: str | None = Field(None, pattern=r"^(largest|left|right|[0-9]{1,4})$")
    audio: str | None = Field(
        None, pattern=UPLOAD_PATTERN, description="Upload: the recording of their words."
    )
    strength: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    shape: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    name: str | None = Field(
        None, pattern=r"^[^,=\"\x00-\x1f]{1,60}$", description="What `turns` call the person."
    )


class TurnRequest(BaseModel):
    """When somebody speaks in the recording of several."""

    model_config = ConfigDict(extra="forbid")

    start: float = Field(ge=0, allow_inf_nan=False, description="Seconds.")
    end: float = Field(gt=0, allow_inf_nan=False, description="Seconds.")
    person: str = Field(max_length=80, description="`name` or `face` of one of `people`.")


class JobRequest(BaseModel):
    """A job to queue."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_JOB_EXAMPLE]})

    kind: Literal["preview", "render"] = Field(
        "render", description="A video, or a picture of a few of its frames."
    )
    target: str = Field(
        pattern=UPLOAD_PATTERN, description="Upload: the video or photo that gives the scene."
    )
    source: list[str] = Field(
        default_factory=list,
        max_length=MOST_PHOTOS,
        description="Uploads: photos of the person to put into the video.",
    )
    audio: str | None = Field(
        None, pattern=UPLOAD_PATTERN, description="Upload: the recording of the words."
    )
    people: list[PersonRequest] = Field(
        default_factory=list,
        max_length=MOST_PEOPLE,
        description="Several people, each with a photo, a recording or both, instead of `source` "
        "and `audio`. Others stay as they are.",
    )
    turns: list[TurnRequest] = Field(
        default_factory=list,
        max_length=4_000,
        description="Who speaks when in `audio`, where the people share one recording.",
    )
    format: OutputKind = Field(
        "mp4", description="Kind of video file; a photo without words becomes a PNG."
    )
    subtitles: str | None = Field(
        None,
        min_length=1,
        max_length=200_000,
        description="Text of an .srt or .vtt file, timed from the beginning of the result.",
    )
    options: JobOptions = Field(default_factory=JobOptions)
    consent: Annotated[str | None, AfterValidator(_visible)] = Field(
        None,
        min_length=CONSENT_LENGTH[0],
        max_length=CONSENT_LENGTH[1],
        description="Statement that the people seen and heard agreed; needed for a render, and "
        "stored with it.",
    )
    at: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Preview only this moment of the result, in seconds.",
    )
    title: str | None = Field(
        None, min_length=1, max_length=TEXT_LENGTH, description="For people to read."
    )
    reference: str | None = Field(
        None,
        min_length=1,
        max_length=TEXT_LENGTH,
        description="Your own name of the job: jobs can be listed by it, and webhooks carry it.",
    )
    metadata: Annotated[dict[str, _Word], Field(max_length=20)] = Field(
        default={}, description="Your own words: they come back with the job and its webhook."
    )
    webhook: str | None = Field(
        None, max_length=500, description="https address to be told when the job has ended."
    )


class JobChange(BaseModel):
    """What can be changed of a job at any time."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"title": "Hello"}]})

    title: str = Field(min_length=1, max_length=TEXT_LENGTH)


class InputNames(BaseModel):
    """What the inputs were called when the job was submitted."""

    target: str
    source: list[str] = []
    audio: str | None = None


class RequestView(BaseModel):
    """What a job was made of. Inspections have an `upload`; a template has a `face`."""

    target: str | None = None
    source: list[str] = []
    audio: str | None = None
    options: dict[str, Any] = Field(default={}, description="Those that were given.")
    still: bool = Field(False, description="The result is a picture.")
    people: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    format: OutputKind = "mp4"
    subtitles: str | None = None
    at: float | None = None
    upload: str | None = None
    face: str | None = None
    names: InputNames | None = None


class ConsentView(BaseModel):
    """The statement that was given."""

    statement: str
    given: float = Field(description="Seconds since 1970.")


class Failure(BaseModel):
    """Why a job failed."""

    title: str
    detail: str
    remedy: str
    field: str | None = None


class JobView(BaseModel):
    """A job as it is now."""

    id: str
    kind: Kind
    state: State
    created: datetime
    started: datetime | None
    finished: datetime | None
    attempts: int = Field(description="How often it was begun since it last got further.")
    cancelling: bool = Field(description="It runs, but will stop soon.")
    stage: str | None
    progress: float = Field(ge=0, le=1)
    seconds_left: float | None = Field(description="Estimate, once there is one.")
    ahead: int | None = Field(description="Jobs that come before it, while it waits.")
    title: str | None
    reference: str | None
    metadata: dict[str, str]
    request: RequestView
    consent: ConsentView | None
    webhook: str | None
    template: str | None = Field(
        description="The template that is used instead of analysing the scene anew."
    )
    result: Result | None
    error: Failure | None
    output: str | None = Field(description="Where the result is, when there is one.")
    poster: str | None = Field(description="Where a picture (JPEG) of a finished render is.")
    revision: int = Field(description="Grows with every change.")

    @classmethod
    def of(cls, job: Job) -> JobView:
        """Describe a row."""
        has_output = job.state == "done" and job.kind in ("preview", "render")
        has_poster = has_output and (job.result or {}).get("poster", False)
        left = job.seconds_left(time.time())
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            created=_date(job.created),
            started=None if job.started is None else _date(job.started),
            finished=None if job.finished is None else _date(job.finished),
            attempts=job.attempts,
            cancelling=job.cancel and not job.has_ended,
            stage=job.stage,
            progress=round(min(1.0, job.progress), 4),
            seconds_left=None if left is None else round(left, 1),
            ahead=job.ahead,
            title=job.title,
            reference=job.reference,
            metadata=job.metadata or {},
            request=RequestView.model_validate({**job.request, "names": job.names}),
            consent=None if job.consent is None else ConsentView(**job.consent),
            webhook=job.webhook,
            template=job.template,
            result=result_of(job),
            error=None if job.error is None else Failure(**job.error),
            output=output_path(job.id) if has_output else None,
            poster=f"/api/v1/jobs/{job.id}/poster" if has_poster else None,
            revision=job.revision,
        )


class JobList(BaseModel):
    """A page of jobs, the newest first."""

    jobs: list[JobView]
    next: str | None = Field(description="Give it as `before` to get the page that follows.")
    revision: int = Field(
        description="Give it as `after` to /events to hear what has changed since."
    )


class SoundView(BaseModel):
    """The sound of a file."""

    codec: str
    sample_rate: int
    silent: bool | None = Field(
        None, description="Nothing is heard in the first minute of a recording."
    )


class MediaView(BaseModel):
    """What is in a file, as far as it applies to its kind."""

    width: int | None = Field(None, description="Pixels.")
    height: int | None = Field(None, description="Pixels.")
    seconds: float | None = None
    fps: float | None = Field(None, description="Frames a second.")
    frames: int | None = None
    codec: str | None = None
    truncated: bool | None = Field(None, description="The file breaks off before its end.")
    sound: SoundView | None = None


class UploadView(BaseModel):
    """A file that was uploaded."""

    id: str
    name: str
    kind: UploadKind
    bytes: int
    media: MediaView
    created: datetime
    content: str = Field(description="Where its contents are.")
    inspection: JobView | None = Field(
        None, description="The look for faces in it: begins with the upload."
    )

    @classmethod
    def of(cls, upload: Upload, inspection: Job | None = None) -> UploadView:
        """Describe a row."""
        return cls(
            id=upload.id,
            name=upload.name,
            kind=upload.kind,
            bytes=upload.bytes,
            media=MediaView(
                **{name: value for name, value in upload.media.items() if name != "kind"}
            ),
            created=_date(upload.created),
            content=f"/api/v1/uploads/{upload.id}/content",
            inspection=None if inspection is None else JobView.of(inspection),
        )


class UploadList(BaseModel):
    """The uploads used last."""

    uploads: list[UploadView]


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
