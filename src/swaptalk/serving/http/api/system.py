"""The server itself: what it allows and can do, whether it is well, and sessions of browsers."""

from __future__ import annotations

import sqlite3
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from swaptalk.pipeline.job import version
from swaptalk.serving.http.api.example import example_folder
from swaptalk.serving.http.api.speech import known_voices
from swaptalk.serving.http.context import SESSION_COOKIE, Owner, Server
from swaptalk.serving.http.problems import ProblemError, documented
from swaptalk.serving.http.request_guard import needs_key
from swaptalk.serving.store.claims import WORKER_SECONDS
from swaptalk.serving.store.keys import SESSION_SECONDS
from swaptalk.voices.catalogue import LONGEST_TEXT

router = APIRouter(tags=["server"])


class LimitsView(BaseModel):
    """What one user may take."""

    upload_bytes: int
    seconds: int
    pixels: int
    waiting: int
    disk_bytes: int
    keep_days: float


class About(BaseModel):
    """What this server allows and can do."""

    version: str
    limits: LimitsView
    used_bytes: int = Field(description="Room that your uploads and results take.")
    speech: bool = Field(description="Text can be spoken: see /api/v1/voices.")
    speech_characters: int
    example: bool = Field(description="There are inputs to try it with: see /api/v1/example.")
    sessions: bool = Field(description="An API key is needed here.")


class Health(BaseModel):
    """Whether the server does its work."""

    status: str
    workers: int


class SessionRequest(BaseModel):
    """A browser shows its key."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=200)


@router.get("/api/v1/about", responses=documented(401))
def get_about(owner: Owner, server: Server) -> About:
    """Limits and features."""
    limits = server.settings
    return About(
        version=version(),
        used_bytes=server.data.uploads.used_bytes(owner),
        limits=LimitsView(
            upload_bytes=limits.upload_bytes,
            seconds=limits.max_seconds,
            pixels=limits.max_pixels,
            waiting=limits.max_waiting,
            disk_bytes=limits.disk_bytes,
            keep_days=limits.keep_days,
        ),
        speech=bool(known_voices()),
        speech_characters=LONGEST_TEXT,
        example=example_folder() is not None,
        sessions=needs_key(limits),
    )


@router.get("/api/v1/health", include_in_schema=False)
@router.get("/health", responses=documented(503))
def get_health(server: Server) -> Health:
    """200 if the database answers and workers live; needs no key."""
    try:
        row = server.data.database.connection.execute(
            "SELECT count(*) FROM workers WHERE seen > ?", (time.time() - WORKER_SECONDS,)
        ).fetchone()
    except sqlite3.Error:
        raise ProblemError(503, "database", "Not well", "The database does not answer.") from None
    if not row[0]:
        raise ProblemError(503, "no-workers", "Not well", "No worker process lives (yet).")
    return Health(status="ok", workers=int(row[0]))


@router.get("/metrics", response_class=PlainTextResponse, responses=documented(401))
def get_metrics(owner: Owner, server: Server) -> Response:
    """Metrics in Prometheus's text format."""
    return Response(server.metrics.text(), media_type="text/plain; version=0.0.4")


@router.post("/api/v1/session", status_code=204, responses=documented(400, 401, 415, 422))
def begin_session(body: SessionRequest, response: Response, server: Server) -> None:
    """Exchange an API key for a cookie, for browsers: players of videos cannot send the header."""
    owner = server.keys.owner(body.key)
    if owner is None:
        raise ProblemError(
            401,
            "no-key",
            "This key is not known",
            "Check it for typing errors, or ask for a new one.",
            {"WWW-Authenticate": "Bearer"},
            field="key",
        )
    response.set_cookie(
        SESSION_COOKIE,
        server.keys.begin_session(owner),
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
    )


@router.delete("/api/v1/session", status_code=204)
def end_session(request: Request, response: Response, server: Server) -> None:
    """Forget the cookie."""
    token = request.cookies.get(SESSION_COOKIE)
    if token is not None:
        server.keys.end_session(token)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
