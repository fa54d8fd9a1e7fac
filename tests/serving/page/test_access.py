"""The page in a real headless Chromium: keyboard, screen reader, contrast, narrow screens."""

from __future__ import annotations

from pathlib import Path

import pytest

expect = pytest.importorskip("playwright.sync_api").expect


FIELDS = "button, input, select, textarea, summary, a"


def test_keyboard_names_and_phone_width(page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    heights = page.locator(".row").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert heights == [72, 72, 72]
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
    for _ in range(9):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.getBoundingClientRect().top + scrollY"))
    assert order[3:] == sorted(order[3:]) and len(set(order)) > 4


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


def test_screen_reader_and_contrast(page, other_photo: Path, give) -> None:
    give(page, "source", other_photo)
    expect(page.locator("#view-photo polygon")).to_have_count(1)
    page.locator("summary", has_text="Further choices").click()
    page.get_by_role("button", name="Make the video").click()  # it says what is missing
    for way in ("Record", "Type", "Keep the scene’s", "File"):
        page.get_by_role("radio", name=way).check()
        assert unnamed(page) == []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT) == []
