"""Measure how long a new user waits: from the opening of the page to the first preview.

    python benchmarks/serving/first_preview.py --rounds 3

Each round has a new server with an empty data folder and a new browser. Needs `swaptalk[serve]`,
Playwright's Python package and a Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from running import Server

PATIENCE = 300_000
DEMO = Path(__file__).parents[2] / "demo"


def with_example(page: Page) -> None:
    """One click."""
    page.get_by_role("button", name="Try it with an example").click()


def with_files(page: Page) -> None:
    """Three files, and Preview at once."""
    files = {"target": "target.mp4", "audio": "speech.opus", "source": "source.jpg"}
    for card, name in files.items():
        page.locator(f"#{card} .row input").set_input_files(DEMO / name)
        expect(page.locator(f"#{card}")).to_have_class("input chosen", timeout=PATIENCE)
    page.get_by_role("button", name="Preview", exact=True).click()


def wait(browser: Browser, url: str, start: Callable[[Page], None]) -> tuple[float, float]:
    """Seconds until the page can be used, and until the preview's pictures are seen."""
    with browser.new_context(viewport={"width": 1280, "height": 860}) as context:
        page = context.new_page()
        begun = time.perf_counter()
        page.goto(url)
        expect(page.locator("#make")).to_have_attribute("data-ready", "true", timeout=PATIENCE)
        ready = time.perf_counter() - begun
        start(page)
        pictures = page.locator(".closeups img")
        expect(pictures).to_have_count(8, timeout=PATIENCE)
        for picture in pictures.all():
            picture.evaluate("one => one.decode()")
        return ready, time.perf_counter() - begun


def main() -> None:
    """Measure all rounds and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8721)
    given = parser.parse_args()
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for start in (with_example, with_files):
            for _ in range(given.rounds):
                with (
                    tempfile.TemporaryDirectory() as folder,
                    Server(Path(folder) / "data", given.port, "--free-disk-gb", "0.01") as server,
                ):
                    ready, preview = wait(browser, server.url, start)
                    print(
                        f"{start.__name__}: page ready {ready:.1f} s, preview {preview:.1f} s "
                        f"(load average {os.getloadavg()[0]:.1f})",
                        flush=True,
                    )
        browser.close()


if __name__ == "__main__":
    main()
