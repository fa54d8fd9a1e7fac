"""Errors as problem documents (RFC 9457): what is wrong, with which field, and which limit it
meets.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One of several things that are wrong with a request."""

    field: str = Field(description="Path of the field, such as options.strength.")
    detail: str


class Problem(BaseModel):
    """A problem document; see RFC 9457."""

    type: str = Field(description="Kind of problem; the same for the same cause.")
    title: str
    status: int
    detail: str
    remedy: str | None = Field(None, description="What to do about it.")
    field: str | None = Field(None, description="The field, parameter or header that is at fault.")
    limit: float | None = Field(None, description="The limit that was passed.")
    errors: list[FieldProblem] | None = Field(
        None, description="All fields that are at fault, if there are several."
    )


class ProblemError(Exception):
    """Ends a request with a problem document.

    Args:
        status: of HTTP, 4xx or 5xx.
        kind: short name of the cause; becomes the document's type.
        title: the cause in a few words.
        detail: what is wrong with this request.
        headers: of the response.
        **more: other members of :class:`Problem`.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers
        self.document = {
            "type": f"urn:swaptalk:problem:{kind}",
            "title": title,
            "status": status,
            "detail": detail,
            **{name: value for name, value in more.items() if value is not None},
        }

    def response(self) -> JSONResponse:
        """The document as a response."""
        return JSONResponse(self.document, self.status, self.headers, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the error responses of a route for OpenAPI."""
    return {status: {"model": Problem, "content": {MEDIA_TYPE: {}}} for status in statuses}


def invalid(
    field: str, detail: str, *, limit: float | None = None, remedy: str | None = None
) -> ProblemError:
    """422 for a value of the request."""
    return ProblemError(
        422,
        "invalid-request",
        "The request is not valid",
        detail,
        field=field,
        limit=limit,
        remedy=remedy,
    )


def not_found(what: str, field: str) -> ProblemError:
    """404 for something that does not exist or belongs to somebody else; both look the same."""
    return ProblemError(404, "not-found", "Not found", f"There is no such {what}.", field=field)


def too_many_jobs(most: int) -> ProblemError:
    """429 for a job beyond those that may wait."""
    return ProblemError(
        429,
        "too-many-jobs",
        "Too many jobs are waiting",
        f"At most {most} jobs may wait or run.",
        {"Retry-After": "30"},
        field="body",
        limit=most,
        remedy="Wait for one, or cancel one.",
    )


def install(app: FastAPI) -> None:
    """Make the app answer every error with a problem document."""
    app.add_exception_handler(
        ProblemError, lambda request, error: _as(error, ProblemError).response()
    )
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _as(error: Exception, kind: type[ProblemError]) -> ProblemError:
    assert isinstance(error, kind)
    return error


def _place(location: Sequence[str | int]) -> str:
    """``("body", "options", "strength")`` as ``options.strength``."""
    parts = (
        location[1:]
        if location and location[0] in ("body", "query", "path", "header")
        else location
    )
    return ".".join(str(part) for part in parts) or "body"


def _fault(error: Mapping[str, Any]) -> dict[str, str]:
    """Field and detail of one thing that is wrong."""
    if error["type"] == "json_invalid":  # the place is a number of characters
        said = str(error.get("ctx", {}).get("error", "it cannot be read"))[:200]
        place = error["loc"][-1]
        return {"field": "body", "detail": f"This is no JSON: {said} at character {place}."}
    if error["type"] == "extra_forbidden":
        return {"field": _place(error["loc"])[:200], "detail": "There is no such field."}
    detail = str(error["msg"]).removeprefix("Value error, ")[:300]
    return {"field": _place(error["loc"])[:200], "detail": detail[:1].upper() + detail[1:]}


def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # What was sent is not repeated: it may be of any size, or not be JSON.
    errors = [_fault(one) for one in error.errors()[:20]]
    first = errors[0] if errors else {"field": "body", "detail": "The request is not valid."}
    limits = [
        value
        for one in error.errors()[:1]
        for name, value in one.get("ctx", {}).items()
        if name in ("le", "ge", "lt", "gt", "max_length", "min_length")
        and isinstance(value, (int, float))
    ]
    return ProblemError(
        422,
        "invalid-request",
        "The request is not valid",
        f"{first['field']}: {first['detail']}",
        field=first["field"],
        errors=errors,
        limit=limits[0] if limits else None,
    ).response()


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status, detail, headers = error.status_code, str(error.detail), error.headers
    allowed = _allowed(request) if status in (404, 405) else None
    if (
        allowed is not None or status == 405
    ):  # routes raise ProblemError: 404 here is the page's folder that was asked
        status, detail, headers = (
            405,
            "Method Not Allowed",
            {"Allow": ", ".join(allowed or ["GET", "HEAD"])},
        )
    titles = {404: "Not found", 405: "Method not allowed", 400: "The request is not valid"}
    title = titles.get(status, "The request was refused")
    return ProblemError(status, f"http-{status}", title, detail, headers).response()


def _allowed(request: Request) -> list[str] | None:
    """Methods of a path of the API (the router itself names those of one route only); None for
    other paths.
    """
    found: set[str] = set()
    for router in request.app.state.routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path_regex.match(request.url.path):
                found |= route.methods or set()
    return sorted(found) or None


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    traceback.print_exception(error, file=sys.stderr)
    return ProblemError(
        500,
        "internal",
        "Something went wrong in the server",
        "This is a fault of the program, not of the request; its log says more.",
    ).response()
