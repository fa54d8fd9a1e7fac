"""The web application: routes, page, guards, background tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from swaptalk.pipeline.job import version
from swaptalk.serving.http import problems
from swaptalk.serving.http.api import example, jobs, speech, system, templates, uploads
from swaptalk.serving.http.context import Context
from swaptalk.serving.http.description import describe_app
from swaptalk.serving.http.events import Changes
from swaptalk.serving.http.metrics import Metrics, RequestTimes
from swaptalk.serving.http.request_guard import Guard
from swaptalk.serving.http.webhooks import deliver_due
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store import housekeeping
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.keys import KeyStore

log = logging.getLogger(__name__)


#: Seconds between two looks for webhooks that are due.
WEBHOOK_SECONDS = 1.0


def create_app(settings: ServeOptions, data: DataFolder) -> FastAPI:
    """Create the application of a server; workers are started elsewhere."""
    context = Context(settings, data, KeyStore(data.database), Changes(data.store), Metrics(data))
    app = FastAPI(
        title="SwapTalk",
        version=version(),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        description="One photo, one video, one recording in; that person, in that scene, saying "
        "those words "
        "out. Errors are problem documents (RFC 9457).",
        lifespan=_lifespan,
    )
    app.state.context = context
    problems.install(app)
    app.state.routers = [
        module.router for module in (uploads, jobs, templates, speech, example, system)
    ]
    for router in app.state.routers:
        app.include_router(router)
    describe_app(app, settings)
    app.mount("/", StaticFiles(directory=_page_folder(), html=True), name="page")
    app.add_middleware(Guard, settings=settings, upload_path=uploads.UPLOADS_PATH)
    app.add_middleware(RequestTimes, metrics=context.metrics)
    return app


def _page_folder() -> Path:
    return Path(str(resources.files("swaptalk.serving").joinpath("page")))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    settings, data = context.settings, context.data

    def tidy() -> None:
        housekeeping.tidy(data, settings)

    def deliver() -> None:
        deliver_due(data.database, settings.webhook_host)

    tasks = [
        asyncio.create_task(_repeat(tidy, housekeeping.EVERY_SECONDS)),
        asyncio.create_task(_repeat(deliver, WEBHOOK_SECONDS)),
    ]
    yield
    for task in tasks:
        task.cancel()


async def _repeat(work: Callable[[], None], seconds: float) -> None:
    """Run a function in a thread repeatedly, whatever it raises."""
    while True:
        try:
            await asyncio.to_thread(work)
        except Exception as error:
            log.error("%s failed: %s", getattr(work, "__name__", "task"), error)
        await asyncio.sleep(seconds)
