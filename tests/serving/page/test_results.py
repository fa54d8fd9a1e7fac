"""The page in a real headless Chromium: from files to results."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.media.probe import probe

expect = pytest.importorskip("playwright.sync_api").expect

#: A property of a player, as soon as it has seen the beginning of its file.
LOADED = """(player, name) => player.readyState ? player[name]
    : new Promise((tell) => { player.onloadedmetadata = () => tell(player[name]); })"""


def test_from_files_to_download(
    page, make_clip, make_wav, other_photo: Path, tmp_path: Path, give, ready
) -> None:
    give(page, "source", other_photo)
    give(page, "target", make_clip(name="scene.mp4", frames=8, faceless=range(6, 8)))
    give(page, "audio", make_wav(0.28, name="speech.wav"))
    expect(page.locator("#target .remarks")).to_contain_text("Not seen in 25 %")
    page.get_by_role("button", name="Photo", exact=True).click()
    expect(page.locator("#view-photo polygon")).to_have_count(1)
    page.get_by_role("button", name="Make the video").click()
    problem = page.locator("#consent-card .problem")
    expect(problem).to_have_text("Say who agreed to this video.")
    assert page.evaluate("document.activeElement.id") == "consent"
    page.locator("#consent").fill(" " * 30)  # blanks are no consent
    expect(problem).to_be_hidden()
    page.get_by_role("button", name="Make the video").click()
    expect(problem).to_be_visible()
    page.locator("#consent").fill("Both agreed in writing. (A test.)")
    page.get_by_role("button", name="Make the video").click()
    expect(page.locator("#stage-title")).to_have_text("Making your video")
    page.reload()  # the list, the form and the running job survive it
    ready(page)
    expect(page.locator("#consent")).to_have_value("Both agreed in writing. (A test.)")
    newest = page.locator("#jobs > li").first  # other tests' jobs on this server come after it
    expect(newest.locator(".state-done")).to_be_visible()
    expect(newest.locator(".still > img").first).to_have_attribute("src", re.compile("/poster$"))
    newest.get_by_role("button", name="Show: astronaut in scene: speech").click()
    video = page.locator("#view-result .after video")
    expect(video).to_be_visible()
    assert video.evaluate(LOADED, "videoWidth") == 160
    page.get_by_label("Before – after").fill("80")
    style = "document.querySelector('.compare').style.getPropertyValue('--split')"
    assert page.evaluate(style) == "80%"
    whole = video.bounding_box()
    page.get_by_label("Zoom to face").check()
    expect(video).to_have_attribute("style", re.compile("scale"))
    assert video.bounding_box()["width"] > 1.05 * whole["width"]  # the face was large before
    with page.expect_download() as saving:
        page.locator("#view-result").get_by_role("link", name="Download").click()
    saving.value.save_as(tmp_path / "out.mp4")
    made = probe(tmp_path / "out.mp4")
    assert made.video is not None and made.audio is not None
    assert made.video.frame_count_estimate == 7
    page.get_by_role("button", name="Make another with this scene").click()
    expect(page.locator("#missing")).to_have_text("Still needed: the words.")
    expect(page.locator("#target .row")).to_contain_text("scene.mp4")
    menu = newest.locator(".menu summary")
    menu.click()
    newest.get_by_role("button", name="Rename").click()
    page.get_by_label("Title", exact=True).fill("My first")
    page.keyboard.press("Enter")
    expect(newest.locator(".title")).to_have_text("My first")
    rows = page.locator("#jobs > li").count()
    page.once("dialog", lambda dialog: dialog.accept())
    menu.click()
    newest.get_by_role("button", name="Delete").click()
    expect(page.locator("#jobs > li")).to_have_count(rows - 1)


def test_the_face_is_seen_close_up_at_any_moment(
    page, make_clip, make_wav, other_photo: Path, give, chosen
) -> None:
    give(page, "source", other_photo)
    give(page, "target", make_clip(name="look.mp4", frames=12))
    give(page, "audio", make_wav(0.44, name="look.wav"))
    for card in ("source", "target", "audio"):
        chosen(page, card)
    page.get_by_role("button", name="Preview", exact=True).click()
    closeups = page.locator(".closeups img")
    expect(closeups).to_have_count(8)  # four moments, before and after
    assert closeups.first.evaluate("one => one.decode().then(() => one.naturalWidth)") > 40
    for width, height in ((1280, 800), (390, 844)):  # no control is below the fold
        page.set_viewport_size({"width": width, "height": height})
        page.locator("#stage").evaluate("one => one.scrollIntoView({behavior: 'instant'})")
        for control in (page.get_by_label("Any moment"), page.locator("#render")):
            box = control.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, (width, box)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Any moment").fill("0.32")
    page.get_by_label("Any moment").dispatch_event("change")
    expect(page.locator(".closeups.one img")).to_have_count(2)
    expect(page.locator(".clock").first).to_contain_text("0.32 s of 0.44 s")
    page.get_by_role("button", name="All moments").click()
    expect(closeups).to_have_count(8)


def test_notes_are_shown_with_the_result(page, server, make_clip, make_wav) -> None:
    scene = server.upload(make_clip(name="noted.mp4", frames=4), "Noted scene.mp4")["id"]
    words = server.upload(make_wav(0.4))["id"]
    server.submit(target=scene, audio=words, title="With a note")
    newest = page.locator("#jobs > li").first
    expect(newest.locator(".state-done")).to_be_visible()
    newest.get_by_role("button", name="Show: With a note").click()
    notes = page.get_by_role("list", name="What was done to the inputs").get_by_role("listitem")
    expect(notes).to_have_count(1)
    expect(notes).to_contain_text("“Noted scene.mp4”: 0.2 s of video for 0.4 s of words; it is")
    assert "--" not in notes.inner_text()
    for width, height in ((1280, 800), (390, 844)):  # seen, and nothing is pushed out of the page
        page.set_viewport_size({"width": width, "height": height})
        place, stage = notes.bounding_box(), page.locator("#stage").bounding_box()
        assert place["width"] > 250 and place["height"] > 15
        assert place["y"] + place["height"] <= stage["y"] + stage["height"]
        assert page.locator("#view-result .compare").bounding_box()["height"] > 150
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_the_photo_check_complains_of_is_drawn_where_it_is(
    page, server, other_photo: Path, give, chosen
) -> None:
    give(page, "source", other_photo)  # its face is 120 px high
    chosen(page, "source")
    warnings = server.inspected(server.upload(other_photo)["id"])["result"]["warnings"]
    regions = page.locator("#view-photo rect.region")
    expect(regions).to_have_count(len(warnings))
    expect(page.get_by_role("list", name="What will look bad")).to_contain_text(
        warnings[0]["message"]
    )
    # The picture fills its box as far as its shape allows; the drawing must lie on it exactly.
    box = page.locator("#view-photo .shown img").evaluate(
        """async (one) => {
            await one.decode();
            const box = one.getBoundingClientRect();
            const scale = Math.min(box.width / one.naturalWidth, box.height / one.naturalHeight);
            const [width, height] = [one.naturalWidth * scale, one.naturalHeight * scale];
            return [box.x + (box.width - width) / 2, box.y + (box.height - height) / 2, width, height];
        }"""
    )
    for index, warning in enumerate(warnings):
        left, top, width, height = warning["region"]
        wanted = [box[0] + left * box[2], box[1] + top * box[3], width * box[2], height * box[3]]
        drawn = regions.nth(index).evaluate(
            "one => { const box = one.getBoundingClientRect();"
            " return [box.x, box.y, box.width, box.height]; }"
        )
        assert drawn == pytest.approx(wanted, abs=3)  # the line has a width
        face = page.locator("#view-photo polygon").bounding_box()
        assert drawn[0] < face["x"] + face["width"] and face["x"] < drawn[0] + drawn[2]


def test_scene_photos_and_what_was_sent_before(
    page, make_clip, photo: Path, other_photo: Path, make_wav, give, ready
) -> None:
    scene = make_clip(name="spoken.mp4", frames=10, sound=make_wav(0.4))
    give(page, "target", scene)
    expect(page.locator("#target .row")).to_contain_text("with sound")
    page.get_by_role("button", name="Play the scene").click()
    assert page.locator("#view-scene video").evaluate(LOADED, "duration") > 0.3
    page.locator("#source .row input").set_input_files([photo, other_photo])
    expect(page.locator("#source .photos li")).to_have_count(2)
    expect(page.locator("#source .row")).to_contain_text("2 photos")
    page.get_by_role("button", name=f"Leave out {photo.name}").click()
    expect(page.locator("#source .row")).to_contain_text(other_photo.name)
    page.reload()
    ready(page)
    page.locator("#source .earlier summary").click()
    page.locator("#source .earlier").get_by_role("button", name=photo.name).first.click()
    expect(page.locator("#source .row")).to_contain_text(photo.name)


def test_wrong_files_are_explained_and_good_ones_stay(
    page, make_clip, make_wav, other_photo: Path, tmp_path: Path, give
) -> None:
    letter, words = tmp_path / "letter.mp4", make_wav(0.3, name="words.wav")
    letter.write_text("Dear reader, this is no video.")
    silent = make_clip(name="silent.mp4", frames=3)
    nameless = tmp_path / "nameless"  # its kind is known only when it was sent
    nameless.write_bytes(words.read_bytes())
    for card, good, wrong in (
        ("target", silent, {words: "is a recording", nameless: "is a recording"}),
        ("target", silent, {letter: "is not a video or sound file"}),
        ("audio", words, {other_photo: "is a photo", silent: "has no sound"}),
        ("source", other_photo, {silent: "is a video", words: "is a recording"}),
    ):
        give(page, card, good)
        expect(page.locator(f"#{card} .row")).to_contain_text(good.name)
        for path, said in wrong.items():
            give(page, card, path)
            problem = page.locator(f"#{card} > .problem")
            expect(problem).to_contain_text(said)
            expect(problem).to_contain_text(path.name)
            assert "--" not in problem.inner_text() and "NaN" not in problem.inner_text()
            expect(page.locator(f"#{card} .row")).to_contain_text(good.name)
        give(page, card, good)  # what was said goes when the fault is mended
        expect(page.locator(f"#{card} > .problem")).to_be_hidden()


def test_a_file_is_called_what_it_was_called_this_time(
    page, other_photo: Path, tmp_path, give
) -> None:
    for name in ("anna.png", "berta.png"):
        (tmp_path / name).write_bytes(other_photo.read_bytes())
        give(page, "source", tmp_path / name)
        expect(page.locator("#source .row")).to_contain_text(name)


def test_choices_survive_a_reload_and_faults_are_said_at_their_field(
    page, make_clip, other_photo: Path, give, chosen, ready
) -> None:
    give(page, "source", other_photo)
    give(page, "target", make_clip(name="short.mp4", frames=6))
    chosen(page, "source")
    chosen(page, "target")
    page.get_by_role("radio", name="Keep the scene’s").check()
    page.locator("#more-choices summary").click()
    page.get_by_label("From second").fill("99")
    page.get_by_label("Codec").select_option("vp9")
    page.get_by_label("Show “AI-generated”").check()
    page.reload()
    ready(page)
    expect(page.locator("#chosen")).to_have_text("from 1 min 39 s, VP9, visible label")
    expect(page.get_by_role("radio", name="Keep the scene’s")).to_be_checked()
    expect(page.get_by_label("Codec")).to_have_value("vp9")
    page.get_by_role("button", name="Preview", exact=True).click()
    problem = page.locator("#more-choices .problem")
    expect(problem).to_have_text("The scene ends after 0.24 seconds. Begin earlier.")
    assert page.evaluate("document.activeElement.name") == "start"
    expect(page.get_by_label("From second")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("From second").fill("0.1")
    expect(problem).to_be_hidden()
    expect(page.get_by_label("From second")).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("Keep the scene’s person").check()
    expect(page.locator("#missing")).to_contain_text("otherwise nothing would change")


def test_seven_tabs_and_each_hears_of_everything(browser, server, make_wav) -> None:
    with browser.new_context() as context:
        tabs = [context.new_page() for _ in range(7)]
        for tab in tabs:
            tab.goto(server.url)
            expect(tab.locator("#make")).to_have_attribute("data-ready", "true", timeout=20_000)
        words = server.upload(make_wav(0.3))["id"]
        scene = server.client.post("/api/v1/example").json()["target"]["id"]
        job = server.submit(target=scene, audio=words, options={"end": 0.2}, title="For all tabs")
        for tab in tabs:
            expect(tab.locator("#jobs")).to_contain_text("For all tabs", timeout=20_000)
        server.client.post(f"/api/v1/jobs/{job['id']}/cancel")
        tabs[0].close()  # the one that listened for all
        server.client.patch(f"/api/v1/jobs/{job['id']}", json={"title": "Called otherwise"})
        for tab in tabs[1:]:
            expect(tab.locator("#jobs")).to_contain_text("Called otherwise", timeout=20_000)


def test_a_server_that_does_not_answer_is_told(browser, serve, ready) -> None:
    server = serve()
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        ready(page)
        expect(page.locator("#connection")).to_be_hidden()
        server.kill()
        expect(page.locator("#connection")).to_contain_text("The server does not answer")


def test_the_example_with_one_click_and_a_failed_job_again(page, server) -> None:
    page.get_by_role("button", name="Try it with an example").click()
    expect(page.locator("#source .row")).to_contain_text("Example person.jpg")
    expect(page.locator("#audio .row")).to_contain_text("Example words.opus")
    expect(page.locator("#stage-title")).to_have_text("Preview")
    # The scene can be seen before the server has looked at it.
    assert page.locator("#meanwhile > *").evaluate("one => one.tagName") in ("VIDEO", "IMG")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("#failure")).to_contain_text("Cancelled")
    page.get_by_role("button", name="Make the video").click()
    row = page.locator("#jobs > li").first
    row.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Try again").click()
    expect(page.locator("#jobs > li").nth(1)).to_contain_text("Cancelled")
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Cancelled")


def test_record_in_the_browser(page) -> None:
    page.get_by_role("radio", name="Record").check()
    page.get_by_role("button", name="Start recording").click()
    recorded = re.compile(r"^(0\.[6-9]|[1-9])")  # seconds, shown by the page
    expect(page.locator("#recorded-time")).to_have_text(recorded)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#audio .remarks .good")).to_have_text("Sound found.")


def test_a_silent_recording_and_a_scene_no_browser_plays_are_explained(
    page, make_wav, make_clip, tmp_path: Path, give, chosen
) -> None:
    give(page, "audio", make_wav(name="muted.wav", samples=np.zeros(8000, np.float32)))
    expect(page.locator("#audio .remarks .warn")).to_contain_text("Nothing is heard in it")
    with (
        av.open(make_clip(frames=6)) as source,
        av.open(tmp_path / "old.avi", "w") as old,
    ):
        stream = old.add_stream("mpeg4", 25, width=160, height=144, pix_fmt="yuv420p")
        for frame in source.decode(video=0):
            old.mux(stream.encode(frame.reformat(format="yuv420p")))
        old.mux(stream.encode())
    give(page, "target", tmp_path / "old.avi")
    chosen(page, "target")
    page.get_by_role("button", name="Play the scene").click()
    expect(page.locator("#view-scene [role=status]")).to_contain_text("can be used all the same")
    expect(page.locator("#view-scene img")).to_be_visible()


def test_type_the_words(page, server) -> None:
    page.get_by_role("radio", name="Type").check()
    listed = {one["id"]: one for one in server.client.get("/api/v1/voices").json()["voices"]}
    assert not listed[page.get_by_label("Voice").input_value()]["restricted"]
    expect(page.locator("#voice-terms")).not_to_be_empty()
    page.get_by_label("Text").fill("Good morning, dear audience")
    page.get_by_role("button", name="Speak it").click()
    expect(page.locator("#audio .remarks .good")).to_have_text("Sound found.")
    assert page.locator("#audio audio").evaluate(LOADED, "duration") > 1
    page.get_by_label("Text").fill("   ")
    page.get_by_role("button", name="Speak it").click()
    expect(page.locator("#audio > .problem")).to_contain_text("The text is empty")
    expect(page.locator("#audio .row")).to_contain_text("Good morning")
