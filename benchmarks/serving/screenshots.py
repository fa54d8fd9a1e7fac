r"""Take the screenshots in docs/guides/serve.md: five states, two widths, light and dark.

    python benchmarks/serving/screenshots.py \
        --photo demo/source.jpg --video demo/target.mp4 --audio demo/speech.opus

Needs `swaptalk[serve]`, Playwright's Python package and a Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

WIDTHS = {"wide": (1280, 860), "phone": (390, 844)}
#: Widths of the saved pictures.
SAVED = {"wide": 800, "phone": 300}
#: Renders of the demo on one busy core.
PATIENCE = 600_000


def save(page: Page, folder: Path, name: str, place: str = "body") -> None:
    """Save what is seen at each width, light and dark; on the phone from ``place`` on."""
    for width, (x, y) in WIDTHS.items():
        page.set_viewport_size({"width": x, "height": y})
        page.locator(place if width == "phone" else "body").evaluate(
            "one => one.scrollIntoView({behavior: 'instant'})"
        )
        schemes: tuple[Literal["dark", "light"], ...] = ("dark", "light")
        for scheme in schemes:
            suffix = "-dark" if scheme == "dark" else ""
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(1000)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture = picture.resize(
                (SAVED[width], round(picture.height * SAVED[width] / x)), Image.Resampling.LANCZOS
            )
            picture.save(folder / f"serving-{name}-{width}{suffix}.webp", quality=80, method=6)
    page.set_viewport_size({"width": 1280, "height": 860})


def walk(page: Page, address: str, photo: Path, video: Path, audio: Path, folder: Path) -> None:
    """Go through the page as a user does."""
    page.goto(address)
    expect(page.locator("#make")).to_have_attribute("data-ready", "true")
    save(page, folder, "1-empty")
    page.locator("#target .row input").set_input_files(video)
    page.locator("#audio .row input").set_input_files(audio)
    page.locator("#source .row input").set_input_files(photo)
    for card in ("source", "target", "audio"):
        expect(page.locator(f"#{card} .remarks .good").first).to_be_visible(timeout=PATIENCE)
    page.locator("#consent").fill("The demo's free inputs: see demo/README.md.")
    save(page, folder, "2-understood")
    page.locator("#preview").click()
    expect(page.locator(".closeups img")).to_have_count(8, timeout=PATIENCE)
    save(page, folder, "3-preview", "#stage")
    page.locator("#render").click()
    expect(page.locator("#status")).to_contain_text("left", timeout=PATIENCE)
    save(page, folder, "4-rendering", "#stage")
    video_after = page.locator("#view-result .after video")
    expect(video_after).to_be_visible(timeout=PATIENCE)
    video_after.evaluate("video => { video.currentTime = 2.4; }")
    page.wait_for_timeout(1500)
    save(page, folder, "5-result", "#stage")
    page.get_by_label("Zoom to face").check()
    page.wait_for_timeout(500)
    save(page, folder, "6-face", "#stage")


def main() -> None:
    """Start a server, walk, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--photo", "--video", "--audio"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "swaptalk", "serve", "--port", "0", "--data", data]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium)
                page = browser.new_page()
                page.on("console", lambda message: print(f"{message.type}: {message.text}"))
                page.on("pageerror", lambda error: print(f"error: {error}"))
                walk(page, address, given.photo, given.video, given.audio, given.output)
                browser.close()
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
