"""Checks of every request: host, origin, size."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from swaptalk.serving.http.problems import ProblemError
from swaptalk.serving.settings import LOOPBACK_NAMES, ServeOptions

#: Largest request that is not an upload, in bytes (subtitles of any script are the largest part of
#: one), and the seconds within which it must have arrived.
BODY_BYTES, BODY_SECONDS = 1024 * 1024, 20.0
#: What an upload may be called; the form of links is what curl says of any body.
_FILE_TYPES = (
    "image/",
    "video/",
    "audio/",
    "application/octet-stream",
    "application/ogg",
    "application/mp4",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
)
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    # Everything comes from here; pictures chosen by the user are shown from memory (blob:) before
    # they are sent.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "font-src 'self'; img-src 'self' blob:;"
    " media-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class Guard:
    """Around the whole application.

    A web page elsewhere can make a visitor's browser send requests to this server, also to one that
    listens on the loopback address only. It cannot forge ``Host``, ``Origin`` and
    ``Sec-Fetch-Site``: requests with a foreign name (DNS rebinding), or that a browser says come
    from elsewhere, are refused.

    Args:
        app: what is guarded.
        settings: of the server; say which names it has.
        upload_path: path of the one route that takes large bodies, and sees to their size itself.
    """

    def __init__(self, app: ASGIApp, settings: ServeOptions, upload_path: str) -> None:
        self._app, self._upload_path = app, upload_path
        self._names = served_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            _check_origin(scope["method"], headers)
            is_upload = scope["path"] == self._upload_path
            if not is_upload:
                receive = _bounded(headers, receive)
            _check_type(scope, headers, is_upload)
        except ProblemError as problem:
            await problem.response()(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check_host(self, headers: Headers) -> None:
        name = _host_name(headers.get("host", ""))
        if self._names is not None and name not in self._names:
            raise ProblemError(
                421,
                "wrong-host",
                "Wrong host name",
                "This server does not go by the name in the Host "
                "header; whoever runs it can allow it with --allowed-host.",
                field="Host",
            )


def served_names(settings: ServeOptions) -> frozenset[str] | None:
    """Host names that requests may carry; None for any, where an API key protects the server."""
    if not settings.is_local and not settings.allowed_host:
        return None
    own = (settings.host,) if settings.is_local else ()
    return frozenset(name.lower() for name in (*LOOPBACK_NAMES, *own, *settings.allowed_host))


def needs_key(settings: ServeOptions) -> bool:
    """Whether others than this machine's users may reach the server, directly or through a
    proxy.
    """
    return not settings.is_local or any(
        name.lower() not in LOOPBACK_NAMES for name in settings.allowed_host
    )


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _check_origin(method: str, headers: Headers) -> None:
    refused = ProblemError(
        403,
        "foreign-origin",
        "Refused",
        "Another web page may not use this server.",
        field="Origin",
    )
    site = headers.get("sec-fetch-site")
    opens_page = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
    if site in ("cross-site", "same-site") and not opens_page:
        raise refused
    origin = headers.get("origin")
    if origin is not None and method not in _SAFE_METHODS:
        try:
            its_host = urlsplit(origin).netloc
        except ValueError:
            raise refused from None
        if not its_host or its_host.lower() != headers.get("host", "").lower():
            raise refused


def _check_type(scope: Scope, headers: Headers, is_upload: bool) -> None:
    """Refuse a body of a kind that no route of the API reads."""
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if scope["method"] in _SAFE_METHODS or not has_body or not scope["path"].startswith("/api/"):
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_upload:
        if not kind or kind.startswith(_FILE_TYPES):
            return
        wanted = "application/octet-stream, the file's own type, or multipart/form-data"
    else:
        if re.fullmatch(r"application/(.+\+)?json", kind):
            return
        wanted = "application/json"
    raise ProblemError(
        415,
        "wrong-type",
        "This content type is not read here",
        f"The body is said to be {kind[:80] or 'of no type'}.",
        field="Content-Type",
        remedy=f"Send it as {wanted}.",
    )


def _bounded(headers: Headers, receive: Receive) -> Receive:
    """Refuse bodies above the limit, whether or not their length was announced, and those that do
    not arrive.
    """
    too_large = ProblemError(
        413,
        "body-too-large",
        "The request is too large",
        f"The body of this request may have at most {BODY_BYTES} bytes.",
        field="body",
        limit=BODY_BYTES,
    )
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > BODY_BYTES:
        raise too_large
    clock = asyncio.get_running_loop().time
    seen, is_complete, until = 0, False, clock() + BODY_SECONDS

    async def bounded() -> Message:
        nonlocal seen, is_complete
        if is_complete:  # what is left to come is that the client goes
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), until - clock())
        except asyncio.TimeoutError:
            raise HTTPException(
                408,
                f"The request did not arrive within {BODY_SECONDS:.0f} seconds.",
                {"Connection": "close"},
            ) from None
        is_complete = not message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > BODY_BYTES:
            # The only kind that the framework lets through.
            raise HTTPException(too_large.status, str(too_large))
        return message

    return bounded
