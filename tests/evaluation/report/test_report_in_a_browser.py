"""The report's page in a real browser: the table sorts, plots are drawn, videos play, and nothing
is fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from swaptalk.evaluation.inputs import PreparedPair, write_wav
from swaptalk.evaluation.protocols import Skipped
from swaptalk.evaluation.report.goals import reached
from swaptalk.evaluation.report.summary import summarise
from swaptalk.evaluation.report.write import environment, write_report
from swaptalk.evaluation.run import Results
from swaptalk.media.image import write_image
from swaptalk.media.video_writer import VideoWriter

from .test_summary_and_report import CLIPS, reconstructed, results

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, list[str]]]:
    """The opened page, and what it asked for or complained about."""
    folder = tmp_path_factory.mktemp("report")
    write_image(folder / "photo.png", np.full((64, 48, 3), 150, np.uint8))
    write_wav(folder / "sound.wav", np.sin(np.arange(32_000) / 20).astype(np.float32) * 0.1, 32_000)
    for index, name in enumerate(("target", "one", "two", "three")):
        with VideoWriter(folder / f"{name}.mp4", 96, 80, 25) as writer:
            for frame in range(50):
                writer.write(np.full((80, 96, 3), (40 * index, 4 * frame, 90), np.uint8))
    measured = results()
    pairs = [
        PreparedPair(
            p.pair,
            folder / "photo.png",
            folder / "target.mp4",
            folder / "sound.wav",
            50,
            folder / "steps",
        )
        for p in measured.pairs
    ]
    for row, video in zip(measured.methods, ("one", "two", "three"), strict=True):
        row.results = {
            p.pair.name: measured for p, measured in zip(pairs, row.results.values(), strict=True)
        }
        row.videos = {name: folder / f"{video}.mp4" for name in row.results}
    whole = Results(measured.methods, pairs, Skipped(), 57)
    summary = summarise(whole, None)
    goals = reached(summary, reconstructed(0.05))
    paths = write_report(
        folder / "out", summary, whole, environment({}, ["swaptalk"]), videos=2, goals=goals
    )
    noted: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1200, "height": 900})
        opened.on("pageerror", lambda error: noted.append(str(error)))
        opened.on(
            "console",
            lambda message: noted.append(message.text) if message.type == "error" else None,
        )
        opened.on(
            "request",
            lambda request: noted.append(request.url) if request.url.startswith("http") else None,
        )
        opened.goto(paths["html"].as_uri())
        yield opened, noted
        browser.close()


def methods(page: Any) -> list[str]:
    return page.locator("table:has(button) tbody tr td:first-child").all_inner_texts()


def test_the_table_sorts_by_number_with_gaps_last(page: tuple[Any, list[str]]) -> None:
    opened, _ = page
    head = opened.locator("th button", has_text="SSIM")
    head.click()
    rising = methods(opened)
    assert rising.index("Sync-Swap") < rising.index("Swap-Sync") < rising.index("SwapTalk")
    head.click()
    falling = methods(opened)
    assert falling.index("SwapTalk") < falling.index("Swap-Sync") < falling.index("Sync-Swap")
    leak = opened.locator("th button", has_text="LipLeak")
    for _ in range(2):  # the paper's rows have none: they stay at the end either way
        leak.click()
        assert set(methods(opened)[:3]) == {"Sync-Swap", "Swap-Sync", "SwapTalk"}
    assert opened.locator("th[aria-sort=descending]").count() == 1


def test_the_videos_play(page: tuple[Any, list[str]]) -> None:
    opened, _ = page
    assert opened.locator("video").count() == 2
    opened.evaluate(
        "Promise.all([...document.querySelectorAll('video')].map(v => { v.muted = true; return "
        "v.play(); }))"
    )
    # Busy machines play slowly: what counts is that time goes on.
    opened.wait_for_function(
        "[...document.querySelectorAll('video')].every(video => video.currentTime > 0.2)"
    )
    state = opened.evaluate(
        "[...document.querySelectorAll('video')].map(video => [video.videoWidth, video.duration, "
        "video.error === null])"
    )
    for width, duration, healthy in state:
        assert healthy and width > 200 and duration == pytest.approx(2.0, abs=0.1)


def test_plots_goals_and_nothing_fetched(page: tuple[Any, list[str]]) -> None:
    opened, noted = page
    drawn = opened.locator("svg")
    assert drawn.count() >= 3 and all(
        drawn.nth(i).bounding_box()["height"] > 80 for i in range(drawn.count())
    )
    assert opened.locator("svg circle").count() >= 3 * len(CLIPS)
    assert opened.get_by_text("goal reached").count() >= 1
    assert noted == []
