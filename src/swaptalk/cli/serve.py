"""``swaptalk serve``: the page and the HTTP API."""

from __future__ import annotations

# Imported for the message about the missing extra, before anything else fails less clearly.
import uvicorn as _uvicorn  # noqa: F401

from swaptalk.serving.settings import ServeOptions as Options

__all__ = ["Options", "run"]


def run(options: Options) -> int:
    """Serve until Ctrl-C; return the exit code."""
    from swaptalk.serving.server import serve

    return serve(options)
