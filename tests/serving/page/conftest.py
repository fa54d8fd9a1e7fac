"""A real headless Chromium that has opened the page; tests are skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

#: Milliseconds that anything may take on a machine that is busy with other tests.
PATIENCE = 120_000
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=PATIENCE)
    path = os.environ.get("SWAPTALK_TEST_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if path is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=path,
            args=["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server) -> Iterator[object]:
    page = browser.new_page(
        accept_downloads=True, permissions=["microphone"], reduced_motion="reduce"
    )
    page.set_default_timeout(PATIENCE)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "console",
        lambda message: said.append(message.text) if "Content Security" in message.text else None,
    )
    page.on(
        "request",
        lambda request: (
            said.append(request.url) if not request.url.startswith((server.url, "blob:")) else None
        ),
    )
    page.goto(server.url)
    wait_until_ready(page)
    yield page
    page.close()
    assert said == []  # no script error, nothing against the policy, no request to anywhere else


def wait_until_ready(page) -> None:
    pytest.importorskip("playwright.sync_api").expect(page.locator("#make")).to_have_attribute(
        "data-ready", "true"
    )


@pytest.fixture
def ready() -> Callable[[object], None]:
    """Wait until the page knows what the server has and what was chosen before."""
    return wait_until_ready


@pytest.fixture
def give() -> Callable[[object, str, Path], None]:
    """Choose a file in a card of the page."""

    def choose(page, card: str, path: Path) -> None:
        page.locator(f"#{card} .row input").set_input_files(path)

    return choose


@pytest.fixture
def chosen() -> Callable[[object, str], None]:
    """Wait until a card's file was taken and its faces were looked for."""

    def wait(page, card: str) -> None:
        expect = pytest.importorskip("playwright.sync_api").expect
        expect(page.locator(f"#{card} .remarks .good").first).to_be_visible()

    return wait
