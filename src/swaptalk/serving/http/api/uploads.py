"""Files: sent once, used by any number of jobs."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse

from swaptalk.errors import InputError
from swaptalk.serving.http.context import Context, Owner, Server
from swaptalk.serving.http.forms import FormFile, is_form
from swaptalk.serving.http.probing import describe
from swaptalk.serving.http.problems import ProblemError, documented, not_found
from swaptalk.serving.http.schemas import UPLOAD_PATTERN, UploadList, UploadView
from swaptalk.serving.http.upload_stream import check_announced, receive_file
from swaptalk.serving.store.housekeeping import delete_upload as delete_stored_upload
from swaptalk.serving.store.jobs import JobBusyError, JobNotFoundError
from swaptalk.serving.store.uploads import (
    DiskQuotaError,
    Upload,
    UploadBusyError,
    UploadNotFoundError,
)
from swaptalk.serving.store.workspace import Workspace
from swaptalk.serving.worker.tasks import PICTURE

UPLOADS_PATH = "/api/v1/uploads"
router = APIRouter(tags=["uploads"])
UploadId = Annotated[str, InPath(pattern=UPLOAD_PATTERN)]
_BYTES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
#: A browser must never take an upload for a page, whatever its name says: it is one of these or a
#: sibling of it.
_MEDIA_TYPES = {"photo": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg"}


@router.post(
    UPLOADS_PATH,
    status_code=201,
    openapi_extra=_BYTES,
    responses={
        200: {"model": UploadView, "description": "You have this file already."},
        **documented(400, 401, 408, 413, 415, 422, 507),
    },
)
async def create_upload(
    request: Request,
    response: Response,
    owner: Owner,
    server: Server,
    name: Annotated[
        str | None, Query(max_length=400, description="Instead of the form's file name.")
    ] = None,
) -> UploadView:
    """Send a photo, video or recording: as the body, or as the file of a form. It is kept once,
    however often it is sent, with the name that it was sent with last.
    """
    check_announced(request.headers.get("content-length"), server)
    part = server.data.uploads.part()
    stream = request.stream()
    kind = request.headers.get("content-type", "")
    if is_form(kind):
        form = FormFile(stream, kind)
        digest = await receive_file(form.chunks(), part, server)
        name = form.name if name is None and form.name else name
    else:
        digest = await receive_file(stream, part, server)
    upload, is_new = await asyncio.to_thread(
        take_in, server, owner, name or "unnamed", part, digest
    )
    response.status_code = 201 if is_new else 200
    return await asyncio.to_thread(view_of, server, upload)


def take_in(server: Context, owner: str, name: str, part: Path, digest: str) -> tuple[Upload, bool]:
    """Look into a complete file, check it against the limits, keep it, and begin to look for
    faces.
    """
    try:
        media = describe(part)
        _check(media, server)
        upload, is_new = server.data.uploads.add(
            owner, name, media["kind"], part, digest, media, server.settings.disk_bytes
        )
    except InputError as error:
        raise ProblemError(
            422,
            "unusable-file",
            "The file cannot be used",
            f"It {error.problem}.",
            field="body",
            remedy=f"{error.remedy[:1].upper()}{error.remedy[1:]}.",
        ) from None
    except DiskQuotaError:
        raise ProblemError(
            413,
            "no-room",
            "Your room is used up",
            f"Your uploads and results would take more than {server.settings.disk_bytes} bytes.",
            field="body",
            limit=server.settings.disk_bytes,
            remedy="Delete jobs or uploads.",
        ) from None
    finally:
        part.unlink(missing_ok=True)
    if upload.kind != "audio" and server.data.store.for_upload(owner, upload.id, "inspect") is None:
        server.data.store.submit(
            owner, "inspect", {"upload": upload.id}, inputs=[(upload.id, "upload")]
        )
    return upload, is_new


def _check(media: dict[str, Any], server: Context) -> None:
    limits = server.settings
    pixels, seconds = media.get("width", 0) * media.get("height", 0), media.get("seconds", 0.0)
    if pixels > limits.max_pixels:
        raise ProblemError(
            422,
            "too-many-pixels",
            "The picture is too large",
            f"It has {pixels} pixels, {limits.max_pixels} are allowed.",
            field="body",
            limit=limits.max_pixels,
            remedy="Scale it down and send it again.",
        )
    if seconds > limits.max_seconds:
        raise ProblemError(
            422,
            "too-long",
            "The recording is too long",
            f"It lasts {seconds:.0f} seconds, {limits.max_seconds} are allowed.",
            field="body",
            limit=limits.max_seconds,
            remedy="Cut it and send the part that you need.",
        )


def view_of(server: Context, upload: Upload) -> UploadView:
    """An upload with the look for faces in it."""
    return UploadView.of(upload, server.data.store.for_upload(upload.owner, upload.id, "inspect"))


def find_upload(server: Context, owner: str, upload: str, field: str = "upload") -> Upload:
    """One of the owner's uploads.

    Raises:
        ProblemError: 404.
    """
    try:
        return server.data.uploads.get(owner, upload)
    except UploadNotFoundError:
        raise not_found("upload", field) from None


@contextmanager
def deletion(what: Literal["job", "upload"]) -> Iterator[None]:
    """Around the deletion of a job or an upload.

    Raises:
        ProblemError: 404, or 409 while it is needed.
    """
    try:
        yield
    except (JobNotFoundError, UploadNotFoundError):
        raise not_found(what, what) from None
    except (JobBusyError, UploadBusyError):
        raise ProblemError(
            409,
            "in-use",
            f"The {what} is in use",
            "A job that has not ended cannot be deleted, nor what it needs.",
            field=what,
            remedy="Cancel the job first.",
        ) from None


@router.get(UPLOADS_PATH, responses=documented(401, 422))
def list_uploads(owner: Owner, server: Server) -> UploadList:
    """The files that were used last."""
    return UploadList(
        uploads=[view_of(server, upload) for upload in server.data.uploads.newest(owner)]
    )


@router.get(f"{UPLOADS_PATH}/{{upload}}", responses=documented(401, 404, 422))
def get_upload(upload: UploadId, owner: Owner, server: Server) -> UploadView:
    """A file, and who was found in it."""
    return view_of(server, find_upload(server, owner, upload))


@router.head(f"{UPLOADS_PATH}/{{upload}}/content", include_in_schema=False)
@router.get(
    f"{UPLOADS_PATH}/{{upload}}/content",
    response_class=FileResponse,
    responses={
        200: {"content": {"image/*": {}, "video/*": {}, "audio/*": {}}},
        206: {"description": "A part of it."},
        **documented(400, 401, 404, 416, 422),
    },
)
def get_upload_content(upload: UploadId, owner: Owner, server: Server) -> FileResponse:
    """The file itself; parts of it by the header `Range`."""
    found = find_upload(server, owner, upload)
    return FileResponse(server.data.uploads.path(found.id), media_type=_media_type(found))


def _media_type(upload: Upload) -> str:
    """By the name's ending if it fits what was found in the file; players look into the file
    anyway.
    """
    usual = _MEDIA_TYPES[upload.kind]
    guessed = mimetypes.guess_type(upload.name)[0] or usual
    return (
        guessed if guessed.split("/")[0] == usual.split("/")[0] and "svg" not in guessed else usual
    )


@router.head(f"{UPLOADS_PATH}/{{upload}}/picture", include_in_schema=False)
@router.get(
    f"{UPLOADS_PATH}/{{upload}}/picture",
    response_class=FileResponse,
    responses={200: {"content": {"image/jpeg": {}}}, **documented(400, 401, 404, 416, 422)},
)
def get_upload_picture(upload: UploadId, owner: Owner, server: Server) -> FileResponse:
    """The picture that the inspection's `view` describes."""
    return _inspected_file(server, owner, upload, PICTURE)


@router.get(
    f"{UPLOADS_PATH}/{{upload}}/people/{{number}}",
    response_class=FileResponse,
    responses={200: {"content": {"image/jpeg": {}}}, **documented(400, 401, 404, 416, 422)},
)
def get_upload_person(
    upload: UploadId,
    number: Annotated[int, InPath(ge=1, le=9999)],
    owner: Owner,
    server: Server,
) -> FileResponse:
    """A small picture of one of the people found."""
    return _inspected_file(server, owner, upload, f"person-{number}.jpg")


def _inspected_file(server: Context, owner: str, upload: str, name: str) -> FileResponse:
    job = server.data.store.for_upload(owner, find_upload(server, owner, upload).id, "inspect")
    path = None if job is None else Workspace(server.data.jobs, job.id).file(name)
    if path is None or not path.exists():
        raise not_found("picture (yet)", "upload")
    return FileResponse(path, media_type="image/jpeg")


@router.delete(
    f"{UPLOADS_PATH}/{{upload}}", status_code=204, responses=documented(401, 404, 409, 422)
)
def delete_upload(upload: UploadId, owner: Owner, server: Server) -> None:
    """Delete a file for good. Results made from it stay."""
    with deletion("upload"):
        delete_stored_upload(server.data, owner, upload)
