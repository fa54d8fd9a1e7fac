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

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

WIDTHS = {"wide": (1200, 900), "phone": (390, 844)}
#: Widths of the saved pictures.
SAVED = {"wide": 800, "phone": 300}
#: Renders of the demo on one busy core.
PATIENCE = 600_000


def save(page: Page, folder: Path, name: str) -> None:
    """A picture of the whole page at each width, light and dark."""
    for width, (x, y) in WIDTHS.items():
        page.set_viewport_size({"width": x, "height": y})
        for scheme, suffix in (("dark", "-dark"), ("light", "")):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(1000)
            picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
            picture = picture.resize(
                (SAVED[width], round(picture.height * SAVED[width] / x)), Image.Resampling.LANCZOS
            )
            picture.save(folder / f"serving-{name}-{width}{suffix}.webp", quality=82, method=6)
    page.set_viewport_size({"width": 1200, "height": 900})


def walk(page: Page, address: str, photo: Path, video: Path, audio: Path, folder: Path) -> None:
    """Go through the page as a user does."""
    page.goto(address)
    expect(page.locator("#about")).not_to_be_empty()
    save(page, folder, "1-empty")
    page.locator("#source input[type=file]").set_input_files(photo)
    page.locator("#target input[type=file]").set_input_files(video)
    page.locator("#audio input[type=file]").set_input_files(audio)
    for card in ("source", "target", "audio"):
        expect(page.locator(f"#{card} .remarks .good").first).to_be_visible(timeout=PATIENCE)
    page.locator("#consent").fill(
        "Ana Silva (photo, video) and Tom Berg (voice) signed our release on 3 March."
    )
    save(page, folder, "2-understood")
    page.locator("#preview").click()
    expect(page.locator("#preview-picture")).to_be_visible(timeout=PATIENCE)
    save(page, folder, "3-preview")
    page.locator("#render").click()
    expect(page.locator("#status")).to_contain_text("left", timeout=PATIENCE)
    save(page, folder, "4-rendering")
    expect(page.locator("#result video.after")).to_be_visible(timeout=PATIENCE)
    page.locator("#result video.after").evaluate("video => { video.currentTime = 2.4; }")
    page.wait_for_timeout(1500)
    save(page, folder, "5-result")


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
