"""The OpenAPI description: what FastAPI finds, and how to prove who one is."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from swaptalk.serving.http.context import SESSION_COOKIE
from swaptalk.serving.http.request_guard import needs_key
from swaptalk.serving.settings import ServeOptions

#: Operations that need no key.
_OPEN = ("/health", "/api/v1/session")
_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key that `swaptalk keys add NAME` made.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "What browsers get from `POST /api/v1/session`.",
    },
}


def describe_app(app: FastAPI, settings: ServeOptions) -> None:
    """Give the app a description with servers and security schemes; it is made once."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                servers=[{"url": settings.public_url or "/", "description": "This server."}],
                tags=app.openapi_tags,
            )
            made["components"]["securitySchemes"] = _SCHEMES
            made["security"] = [{"key": []}, {"session": []}]
            if not needs_key(settings):
                made["security"].append({})
            for path in _OPEN:
                for operation in made["paths"][path].values():
                    operation["security"] = []
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]
