"""The page in a real headless Chromium; skipped where there is none."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.media.image import read_image
from swaptalk.media.probe import probe
from swaptalk.media.subtitles import further_tracks, track_cues
from swaptalk.media.video_writer import VideoWriter

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
    ready(page)
    yield page
    page.close()
    assert said == []  # no script error, nothing against the policy, no request to anywhere else


def ready(page) -> None:
    """Wait until the page knows what the server has and what was chosen before."""
    expect(page.locator("#make")).to_have_attribute("data-ready", "true")


def give(page, card: str, path: Path) -> None:
    page.locator(f"#{card} .row input").set_input_files(path)


def chosen(page, card: str) -> None:
    """Wait until a file was taken and its faces were looked for."""
    expect(page.locator(f"#{card} .remarks .good").first).to_be_visible(timeout=PATIENCE)


def test_from_files_to_download(
    page, make_clip, make_wav, other_photo: Path, tmp_path: Path
) -> None:
    give(page, "source", other_photo)
    give(page, "target", make_clip(name="scene.mp4", frames=8, faceless=range(6, 8)))
    give(page, "audio", make_wav(0.28, name="speech.wav"))
    expect(page.locator("#target .remarks")).to_contain_text("Not seen in 25 %", timeout=PATIENCE)
    page.get_by_role("button", name="Photo", exact=True).click()
    expect(page.locator("#view-photo polygon")).to_have_count(1, timeout=PATIENCE)
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
    expect(newest.locator(".state-done")).to_be_visible(timeout=PATIENCE)
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
    page, make_clip, make_wav, other_photo: Path
) -> None:
    give(page, "source", other_photo)
    give(page, "target", make_clip(name="look.mp4", frames=12))
    give(page, "audio", make_wav(0.44, name="look.wav"))
    for card in ("source", "target", "audio"):
        chosen(page, card)
    page.get_by_role("button", name="Preview", exact=True).click()
    closeups = page.locator(".closeups img")
    expect(closeups).to_have_count(8, timeout=PATIENCE)  # four moments, before and after
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
    expect(page.locator(".closeups.one img")).to_have_count(2, timeout=PATIENCE)
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
    page, server, other_photo: Path
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
    page, make_clip, photo: Path, other_photo: Path, make_wav
) -> None:
    scene = make_clip(name="spoken.mp4", frames=10, sound=make_wav(0.4))
    give(page, "target", scene)
    expect(page.locator("#target .row")).to_contain_text("with sound")
    page.get_by_role("button", name="Play the scene").click()
    assert page.locator("#view-scene video").evaluate(LOADED, "duration") > 0.3
    page.locator("#source .row input").set_input_files([photo, other_photo])
    expect(page.locator("#source .photos li")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#source .row")).to_contain_text("2 photos")
    page.get_by_role("button", name=f"Leave out {photo.name}").click()
    expect(page.locator("#source .row")).to_contain_text(other_photo.name)
    page.reload()
    ready(page)
    page.locator("#source .earlier summary").click()
    page.locator("#source .earlier").get_by_role("button", name=photo.name).first.click()
    expect(page.locator("#source .row")).to_contain_text(photo.name)


@pytest.fixture
def couple(photo: Path, other_photo: Path, tmp_path: Path) -> Path:
    """Six frames of the portrait beside the astronaut."""
    heads = [read_image(photo)[0:420, 40:460], read_image(other_photo)[0:260, 90:350]]
    both = np.concatenate([cv2.resize(head, (192, 192)) for head in heads], axis=1)
    with VideoWriter(tmp_path / "couple.mp4", 384, 192, 25, quality=10) as writer:
        for _ in range(6):
            writer.write(np.ascontiguousarray(both, np.uint8))
    return tmp_path / "couple.mp4"


def newest_job(server) -> dict:
    return server.client.get("/api/v1/jobs").json()["jobs"][0]


def test_two_people_of_one_scene(
    page, server, couple: Path, photo: Path, other_photo: Path
) -> None:
    give(page, "target", couple)
    chosen(page, "target")
    expect(page.locator("#people")).to_be_visible()
    page.locator('#target .people input[value="1"]').check(force=True)
    give(page, "source", other_photo)
    chosen(page, "source")
    page.locator("label:has(input[name=way][value=keep])").click()
    page.locator("#another").click()
    expect(page.locator("#people li")).to_have_count(1)
    give(page, "source", photo)
    chosen(page, "source")
    expect(page.locator("#missing")).to_contain_text("has an entry already")
    page.locator('#target .people input[value="2"]').check(force=True)
    page.locator("#consent").fill(server.consent)
    page.locator("#render").click()
    expect(page.locator("#view-result .button.main")).to_be_visible(timeout=PATIENCE)
    job = newest_job(server)
    assert [one["face"] for one in job["request"]["people"]] == ["1", "2"]
    assert job["result"]["changed"] == 6


def test_the_person_who_looks_like_a_photo(
    page, server, couple: Path, photo: Path, other_photo: Path, make_wav
) -> None:
    give(page, "target", couple)
    chosen(page, "target")
    find = page.get_by_label("Find the person by a photo")
    find.set_input_files(make_wav(0.2, name="hello.wav"))
    problem = page.locator("#target > .problem")
    expect(problem).to_contain_text("“hello.wav” is no photo")
    find.set_input_files(other_photo)
    found = page.get_by_role("list", name="Found by a photo").get_by_role("listitem")
    expect(found).to_contain_text(f"Whoever looks like “{other_photo.name}”")
    expect(found.locator("img")).to_have_count(1)
    expect(problem).to_be_hidden()
    expect(page.locator("#target .people input:checked")).to_have_count(0)
    page.reload()
    ready(page)
    expect(found).to_contain_text(other_photo.name)
    give(page, "source", photo)
    chosen(page, "source")
    page.locator("label:has(input[name=way][value=keep])").click()
    page.locator("#consent").fill(server.consent)
    page.locator("#render").click()
    expect(page.locator("#view-result .button.main")).to_be_visible()
    job = newest_job(server)
    (person,) = job["request"]["people"]
    assert person["like"] == server.upload(other_photo)["id"] and "face" not in person
    assert job["result"]["changed"] == 6
    page.get_by_role("button", name="Make another with this scene").click()
    expect(found).to_contain_text(other_photo.name)
    page.locator('#target .people input[value="1"]').check(force=True)  # now by number
    expect(found).to_have_count(0)


def test_one_recording_and_typed_subtitles(
    page, server, couple: Path, other_photo: Path, make_wav, tmp_path: Path
) -> None:
    give(page, "target", couple)
    give(page, "audio", make_wav(0.4, name="both.wav"))
    chosen(page, "target")
    page.locator('#target .people input[value="1"]').check(force=True)
    page.get_by_label("They speak in one recording").check()
    page.get_by_label("Keep the scene’s person").check()
    page.locator("#another").click()  # the first speaks with their own face
    page.locator('#target .people input[value="2"]').check(force=True)
    expect(page.locator("#missing")).to_have_text("Say who speaks when.")
    turns = page.get_by_label("Who speaks when")
    turns.fill("0 to 0.2: me")
    page.locator("#more-choices summary").click()
    texts = page.get_by_label("Subtitles (.srt, .vtt)")
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:00,300\nHello!\n")
    page.get_by_label("Subtitles from a file").set_input_files(tmp_path / "words.srt")
    expect(texts).to_have_value(re.compile("Hello!"))
    texts.fill(texts.input_value().replace("Hello", "Good morning"))
    page.locator("#consent").fill(server.consent)
    page.locator("#render").click()
    problem = page.locator("#people > .problem")
    expect(problem).to_contain_text("“0 to 0.2: me” does not say who speaks when")
    turns.fill("0, 0.2, person 1\n0.2, 0.4, person 3")
    page.locator("#render").click()
    expect(problem).to_contain_text("Nobody is called '3'")
    turns.fill("0, 0.2, person 1\n0.2, 0.4, person 2")
    page.locator("#render").click()
    expect(page.locator("#view-result .button.main")).to_be_visible()
    job = newest_job(server)
    assert [turn["person"] for turn in job["request"]["turns"]] == ["1", "2"]
    assert job["result"]["changed"] == 10 and "Good morning!" in job["request"]["subtitles"]
    output = server.client.get(job["output"]).content
    (tmp_path / "out.mp4").write_bytes(output)
    (track,) = further_tracks(tmp_path / "out.mp4")
    assert [cue.text for cue in track_cues(tmp_path / "out.mp4", track)] == ["Good morning!"]


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
    expect(page.locator("#view-photo .picked text")).to_have_text("2")


def test_wrong_files_are_explained_and_good_ones_stay(
    page, make_clip, make_wav, other_photo: Path, tmp_path: Path
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
        expect(page.locator(f"#{card} .row")).to_contain_text(good.name, timeout=PATIENCE)
        for path, said in wrong.items():
            give(page, card, path)
            problem = page.locator(f"#{card} > .problem")
            expect(problem).to_contain_text(said, timeout=PATIENCE)
            expect(problem).to_contain_text(path.name)
            assert "--" not in problem.inner_text() and "NaN" not in problem.inner_text()
            expect(page.locator(f"#{card} .row")).to_contain_text(good.name)
        give(page, card, good)  # what was said goes when the fault is mended
        expect(page.locator(f"#{card} > .problem")).to_be_hidden(timeout=PATIENCE)


def test_a_file_is_called_what_it_was_called_this_time(page, other_photo: Path, tmp_path) -> None:
    for name in ("anna.png", "berta.png"):
        (tmp_path / name).write_bytes(other_photo.read_bytes())
        give(page, "source", tmp_path / name)
        expect(page.locator("#source .row")).to_contain_text(name, timeout=PATIENCE)


def test_choices_survive_a_reload_and_faults_are_said_at_their_field(
    page, make_clip, other_photo: Path
) -> None:
    give(page, "source", other_photo)
    give(page, "target", make_clip(name="short.mp4", frames=6))
    chosen(page, "source")
    chosen(page, "target")
    page.get_by_role("radio", name="Keep the scene’s").check()
    page.locator("#more-choices summary").click()
    page.get_by_label("From second").fill("99")
    page.get_by_label("Codec").select_option("vp9")
    page.get_by_label("Show a label").check()
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


def test_a_server_that_does_not_answer_is_told(browser, serve) -> None:
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
    expect(page.locator("#audio .row")).to_contain_text("Example words.opus", timeout=PATIENCE)
    expect(page.locator("#stage-title")).to_have_text("Preview")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("#failure")).to_contain_text("Cancelled")
    page.get_by_role("button", name="Make the video").click()
    row = page.locator("#jobs > li").first
    row.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Try again").click(timeout=PATIENCE)
    expect(page.locator("#jobs > li").nth(1)).to_contain_text("Cancelled")
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Cancelled")


def test_record_in_the_browser(page) -> None:
    page.get_by_role("radio", name="Record").check()
    page.get_by_role("button", name="Start recording").click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#audio .remarks .good")).to_have_text("Sound found.", timeout=PATIENCE)


def test_type_the_words(page) -> None:
    page.get_by_role("radio", name="Type").check()
    expect(page.locator("#voice-terms")).not_to_be_empty()
    page.get_by_label("Text").fill("Good morning, dear audience")
    page.get_by_role("button", name="Speak it").click()
    expect(page.locator("#audio .remarks .good")).to_have_text("Sound found.", timeout=PATIENCE)
    assert page.locator("#audio audio").evaluate(LOADED, "duration") > 1
    page.get_by_label("Text").fill("   ")
    page.get_by_role("button", name="Speak it").click()
    expect(page.locator("#audio > .problem")).to_contain_text("The text is empty")
    expect(page.locator("#audio .row")).to_contain_text("Good morning")


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


def test_screen_reader_and_contrast(page, other_photo: Path) -> None:
    give(page, "source", other_photo)
    expect(page.locator("#view-photo polygon")).to_have_count(1, timeout=PATIENCE)
    page.locator("summary", has_text="Further choices").click()
    page.get_by_role("button", name="Make the video").click()  # it says what is missing
    for way in ("Record", "Type", "Keep the scene’s", "File"):
        page.get_by_role("radio", name=way).check()
        assert unnamed(page) == []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT) == []
