"""The page in a real headless Chromium: several people of one scene, and captions."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.media.image import read_image, write_image
from swaptalk.media.subtitles import further_tracks, track_cues
from swaptalk.media.video_writer import VideoWriter

expect = pytest.importorskip("playwright.sync_api").expect


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
    page, server, couple: Path, photo: Path, other_photo: Path, give, chosen
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
    expect(page.locator("#view-result .button.main")).to_be_visible()
    job = newest_job(server)
    assert [one["face"] for one in job["request"]["people"]] == ["1", "2"]
    assert job["result"]["changed"] == 6


def test_the_person_who_looks_like_a_photo(
    page, server, couple: Path, photo: Path, other_photo: Path, make_wav, give, chosen, ready
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
    page, server, couple: Path, other_photo: Path, make_wav, tmp_path: Path, give, chosen
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


def test_people_to_choose_from(page, photo: Path, other_photo: Path, tmp_path: Path, give) -> None:
    sides = [
        cv2.resize(read_image(path)[0:512, 0:512], (512, 512)) for path in (photo, other_photo)
    ]
    write_image(tmp_path / "two.png", np.concatenate(sides, axis=1))
    give(page, "source", tmp_path / "two.png")
    expect(page.locator("#source .people input")).to_have_count(2)
    page.locator("#source .people input").nth(1).check()
    expect(page.locator("#source .people input").nth(1)).to_be_checked()
    expect(page.locator("#view-photo .picked text")).to_have_text("2")


def test_a_failed_job_is_tried_again_as_it_was(
    page, server, couple: Path, photo: Path, other_photo: Path
) -> None:
    scene, source = server.upload(couple)["id"], server.upload(photo)["id"]
    like = server.upload(other_photo)["id"]
    people = [{"like": like, "source": [source]}, {"face": "right", "source": [source]}]
    failed = server.submit(target=scene, people=people, format="webm", title="Twice the same")
    server.wait(failed["id"])
    row = page.locator("#jobs > li").first
    expect(row).to_contain_text("Entry 2: its face, number 2, is that of entry 1 too.")
    row.get_by_role("button", name="Try again").click()
    expect(page.locator("#stage-title")).to_have_text("Twice the same")
    again = newest_job(server)
    assert again["id"] != failed["id"]
    for name in ("people", "format", "options", "turns", "subtitles"):
        assert again["request"][name] == failed["request"][name]
