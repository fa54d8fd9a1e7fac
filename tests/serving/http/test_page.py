"""The page in a real headless Chromium; skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from swaptalk.media.probe import probe

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: Milliseconds that anything may take on a machine that is busy with other tests.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)
#: A property of a player, as soon as it has seen the beginning of its file.
LOADED = """(player, name) => player.readyState ? player[name]
    : new Promise((tell) => { player.onloadedmetadata = () => tell(player[name]); })"""
FIELDS = "button, input, select, textarea, summary, a"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
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
    page = browser.new_page(accept_downloads=True, permissions=["microphone"])
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
    expect(page.locator("#about")).not_to_be_empty(timeout=PATIENCE)
    yield page
    page.close()
    assert said == []  # no script error, nothing against the policy, no request to anywhere else


def give(page, card: str, path: Path) -> None:
    page.locator(f"#{card} input[type=file]").set_input_files(path)


def test_from_files_to_download(
    page, make_clip, make_wav, other_photo: Path, tmp_path: Path
) -> None:
    give(page, "source", other_photo)
    give(page, "target", make_clip(name="scene.mp4", frames=8, faceless=range(6, 8)))
    give(page, "audio", make_wav(0.28, name="speech.wav"))
    expect(page.locator("#target .remarks")).to_contain_text("Not seen in 25 %", timeout=PATIENCE)
    expect(page.locator("#source .shown polygon")).to_have_count(1, timeout=PATIENCE)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview-picture")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Make the video").click()
    expect(page.locator("#missing")).to_have_text("Say who agreed to this video.")
    assert page.evaluate("document.activeElement.id") == "consent"
    page.locator("#consent").fill("Both agreed in writing. (A test.)")
    page.get_by_role("button", name="Make the video").click()
    expect(page.locator("#work-title")).to_have_text("Making your video")
    page.reload()  # the list, the form and the running job survive it
    expect(page.locator("#consent")).to_have_value("Both agreed in writing. (A test.)")
    newest = page.locator("#jobs > li").first  # other tests' jobs on this server come after it
    expect(newest.locator(".state-done")).to_be_visible(timeout=PATIENCE)
    newest.get_by_role("button", name="Show: astronaut").click()
    expect(page.locator("#result video.after")).to_be_visible()
    assert page.locator("#result video.after").evaluate(LOADED, "videoWidth") == 160
    page.get_by_label("Before – after").fill("80")
    assert (
        page.evaluate("document.querySelector('.compare').style.getPropertyValue('--split')")
        == "80%"
    )
    with page.expect_download() as saving:
        page.locator("#result").get_by_role("link", name="Download").click()
    saving.value.save_as(tmp_path / "out.mp4")
    made = probe(tmp_path / "out.mp4")
    assert (
        made.video is not None and made.audio is not None and made.video.frame_count_estimate == 7
    )
    page.get_by_role("button", name="Make another with this scene").click()
    expect(page.locator("#missing")).to_have_text("Still needed: the words.")
    expect(page.locator("#target .seen")).to_contain_text("scene.mp4")
    page.once("dialog", lambda dialog: dialog.accept())
    rows = page.locator("#jobs > li").count()
    page.get_by_role("button", name="Delete: astronaut").first.click()
    expect(page.locator("#jobs > li")).to_have_count(rows - 1)


def test_people_to_choose_from(page, photo: Path, other_photo: Path, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    from swaptalk.media.image import read_image, write_image

    sides = [
        cv2.resize(read_image(path)[0:512, 0:512], (512, 512)) for path in (photo, other_photo)
    ]
    write_image(tmp_path / "two.png", np.concatenate(sides, axis=1))
    give(page, "source", tmp_path / "two.png")
    expect(page.locator("#source .people input")).to_have_count(2, timeout=PATIENCE)
    page.locator("#source .people input").nth(1).check()
    expect(page.locator("#source .people input").nth(1)).to_be_checked()
    expect(page.locator("#source .picked text")).to_have_text("2")


def test_wrong_files_are_explained(page, tmp_path: Path) -> None:
    (tmp_path / "letter.mp4").write_text("Dear reader, this is no video.")
    give(page, "target", tmp_path / "letter.mp4")
    remark = page.locator("#target .remarks .bad")
    expect(remark).to_contain_text("is not a video or sound file", timeout=PATIENCE)
    assert "--" not in remark.inner_text()


def test_record_in_the_browser(page) -> None:
    page.get_by_role("radio", name="Record").check()
    page.get_by_role("button", name="Start recording").click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#audio .remarks .good")).to_have_text("Sound found.", timeout=PATIENCE)


def test_type_the_words(page) -> None:
    page.get_by_role("radio", name="Type").check()
    page.get_by_label("Text").fill("Good morning, dear audience")
    page.get_by_role("button", name="Speak it").click()
    expect(page.locator("#audio .remarks .good")).to_have_text("Sound found.", timeout=PATIENCE)
    assert page.locator("#audio audio").evaluate(LOADED, "duration") > 1
    page.get_by_label("Language").fill("qqq")
    page.get_by_role("button", name="Speak it").click()
    expect(page.locator("#audio .remarks .bad")).to_contain_text(
        "The text could not be spoken", timeout=PATIENCE
    )


def test_keyboard_names_and_phone_width(page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    # Everything that can be operated has a name for screen readers, and the keyboard reaches it in
    # reading order.
    unnamed = page.evaluate(
        """fields => [...document.querySelectorAll(fields)].filter(one =>
        one.checkVisibility() && !(one.labels?.length || one.textContent.trim() || one.getAttribute("aria-label")))
        .map(one => one.outerHTML)""",
        FIELDS,
    )
    assert unnamed == []
    order = []
    for _ in range(8):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.getBoundingClientRect().top + scrollY"))
    assert order[1:] == sorted(order[1:]) and len(set(order)) > 5


#: Roles of Chromium's accessibility tree that say nothing to a listener without a name.
NAMED = {
    "button",
    "checkbox",
    "combobox",
    "dialog",
    "form",
    "image",
    "link",
    "meter",
    "option",
    "progressbar",
    "radio",
    "region",
    "searchbox",
    "slider",
    "spinbutton",
    "textbox",
    "DisclosureTriangle",
    "heading",
}
#: Texts whose colour is too close to what is behind them (WCAG 2.2, 1.4.3), as [text, contrast].
FAINT = """() => {
  const channels = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (under, top) => under.map((value, at) => top[at] * top[3] + value * (1 - top[3]));
  const behind = (one) => one
    ? over(behind(one.parentElement), channels(getComputedStyle(one).backgroundColor)) : [0, 0, 0];
  const light = (colour) => colour.map((value) => value / 255).map((value) => value <= 0.04045 ? value / 12.92
    : ((value + 0.055) / 1.055) ** 2.4).reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    if (!text || !one.checkVisibility() || one.closest("svg, :disabled, option, .unseen")) continue;
    const ground = behind(one), colour = over(ground, channels(getComputedStyle(one).color));
    const [low, high] = [light(ground), light(colour)].sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) < 4.5) found.push([text, (high + 0.05) / (low + 0.05)]);
  }
  return found;
}"""


def unnamed(page) -> list[str]:
    """Roles in the accessibility tree, as screen readers get it, that should have a name and have
    none."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    seen = [node for node in nodes if not node["ignored"] and node["role"]["value"] in NAMED]
    assert len(seen) > 20
    return [
        node["role"]["value"] for node in seen if not node.get("name", {}).get("value", "").strip()
    ]


def test_screen_reader_and_contrast(page, other_photo: Path) -> None:
    give(page, "source", other_photo)
    expect(page.locator("#source .shown polygon")).to_have_count(1, timeout=PATIENCE)
    page.locator("summary", has_text="More choices").click()
    page.get_by_role("button", name="Make the video").click()  # it says what is missing
    for way in ("Record", "Type", "Keep the scene’s", "File"):
        page.get_by_role("radio", name=way).check()
        assert unnamed(page) == []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT) == []
