"""Jobs through the API: real files, real server, real workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swaptalk.media.probe import probe
from swaptalk.media.subtitles import further_tracks


@pytest.fixture
def inputs(server, make_clip, make_wav, other_photo: Path) -> dict:
    return {
        "target": server.upload(make_clip(frames=8))["id"],
        "source": [server.upload(other_photo)["id"]],
        "audio": server.upload(make_wav(0.24))["id"],
    }


def test_from_files_to_video(server, inputs: dict, tmp_path: Path) -> None:
    job = server.submit(**inputs, options={"quality": "low"})
    assert job["state"] == "queued" and job["consent"]["statement"] == server.consent
    done = server.wait(job["id"])
    assert done["state"] == "done", done["error"]
    assert done["result"]["frames"] == done["result"]["changed"] == 6 and done["progress"] == 1
    answer = server.client.get(done["output"], params={"download": True})
    assert answer.headers["content-disposition"].startswith("attachment")
    assert len(answer.content) == done["result"]["bytes"]
    assert server.consent.encode() in answer.content  # in the manifest
    (tmp_path / "out.mp4").write_bytes(answer.content)
    made = probe(tmp_path / "out.mp4")
    assert (
        made.video is not None and made.audio is not None and made.video.frame_count_estimate == 6
    )
    part = server.client.get(done["output"], headers={"Range": "bytes=0-9"})
    assert part.status_code == 206 and len(part.content) == 10
    assert [
        path.name
        for path in (server.data / "jobs" / job["id"]).iterdir()
        if path.name.startswith("attempt")
    ] == []


def test_another_kind_of_file_with_subtitles(server, inputs: dict, tmp_path: Path) -> None:
    words = "1\n00:00:00,000 --> 00:00:00,200\nHello\n"
    options = {"crop": "1:1", "quality": "low"}
    job = server.submit(**inputs, format="webm", subtitles=words, options=options)
    done = server.wait(job["id"])
    assert done["state"] == "done", done["error"]
    assert done["request"]["format"] == "webm" and done["request"]["subtitles"] == words
    answer = server.client.get(done["output"])
    assert answer.headers["content-type"] == "video/webm"
    (tmp_path / "out.webm").write_bytes(answer.content)
    made = probe(tmp_path / "out.webm").video
    assert made is not None and (made.codec, made.width, made.height) == ("vp9", 144, 144)
    assert [track.codec for track in further_tracks(tmp_path / "out.webm")] == ["webvtt"]


def test_what_was_done_to_the_inputs_is_told_in_the_users_names(
    server, make_clip, make_wav, other_photo: Path
) -> None:
    job = server.submit(
        target=server.upload(make_clip(name="notes.mp4", frames=6), "My scene.mp4")["id"],
        source=[server.upload(other_photo, "Anna.png")["id"]],
        audio=server.upload(make_wav(0.5), "Hello.wav")["id"],
        format="gif",
    )
    done = server.wait(job["id"])
    assert done["state"] == "done", done["error"]
    assert done["result"]["notes"] == [
        "“My scene.mp4”: 0.2 s of video for 0.5 s of words; it is played back and forth "
        "(“last frame held” holds its last picture, the length “as the scene” cuts the words).",
        "The result: a GIF has no sound.",
    ]
    assert {one["photo"] for one in done["result"]["photo_warnings"]} == {"Anna.png"}
    assert str(server.data) not in json.dumps(done)


def test_several_people(server, make_clip, make_wav, photo: Path, other_photo: Path) -> None:
    """One is meant by a photo; the other turns out to be the same, which the job says."""
    target, source = server.upload(make_clip(frames=6))["id"], server.upload(other_photo)["id"]
    first = {"like": server.upload(photo, "Anna.jpg")["id"], "source": [source]}
    done = server.wait(server.submit(target=target, people=[first])["id"])
    assert done["state"] == "done", done["error"]
    assert done["result"]["changed"] == 6 and done["request"]["people"] == [first]
    told = {"person": "Anna.jpg", "changed": 6, "passed_through": {}}
    assert done["result"]["people"] == [told] and str(server.data) not in json.dumps(done)
    same = {"face": "1", "source": [source]}
    failed = server.wait(server.submit(target=target, people=[first, same])["id"])
    assert failed["state"] == "failed"
    assert failed["error"]["detail"] == "Entry 2: its face, number 1, is that of entry 1 too."
    assert failed["error"]["field"] == "people.1"
    assert str(server.data) not in json.dumps(failed)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({}, "people.1", "Another entry has the same face"),
        ({"people": [{"face": "7"}]}, "people.0.face", "There is no person 7"),
        ({"more": {"source": "SOURCE"}}, "source", "Source beside people"),
        ({"more": {"audio": "WORDS"}}, "audio", "Audio with people, but no turns"),
        ({"more": {"options": {"face": "1"}}}, "options.face", "Face beside people"),
        ({"turns": [[0, 0.2, "anna"], [0.1, 0.3, "left"]]}, "turns.1", "Left speaks from 0.1 s"),
        ({"turns": [[0, 0.2, "bob"]]}, "turns.0", "Nobody is called 'bob'"),
        ({"turns": [[0, 0.2, "anna"], [0.3, 0.2, "anna"]]}, "turns.1", "It ends before it starts"),
        ({"turns": [[9, 10, "anna"]]}, "turns.0.start", "The recording ends after 0.4 seconds"),
    ],
)
def test_people_and_turns_that_are_wrong_are_refused_at_once(
    server, make_clip, make_wav, other_photo: Path, change: dict, field: str, said: str
) -> None:
    source, words = server.upload(other_photo)["id"], server.upload(make_wav(0.4))["id"]
    clip = server.upload(make_clip(frames=3))["id"]
    server.inspected(clip)
    body = {"target": clip, "consent": server.consent}
    if "turns" in change:
        names = ("start", "end", "person")
        body["turns"] = [dict(zip(names, turn, strict=True)) for turn in change["turns"]]
        body["people"] = [{"face": "1", "name": "anna"}, {"face": "left"}]
        body["audio"] = words
    else:
        more = change.get("more", {})
        asked = {"SOURCE": [source], "WORDS": words}
        body |= {name: asked.get(str(value), value) for name, value in more.items()}
        body["people"] = change.get("people", [{"face": "1"}] * (1 if more else 2))
        body["people"] = [{**one, "source": [source]} for one in body["people"]]
    answer = server.client.post("/api/v1/jobs", json=body)
    told = answer.json()
    assert answer.status_code == 422
    assert told["field"] == field and told["detail"].startswith(said), told


def test_inspection_finds_the_face_and_says_what_is_wrong_with_it(server, make_clip) -> None:
    upload = server.upload(make_clip(name="half.mp4", frames=10, faceless=range(6, 10)))
    found = server.inspected(upload["id"])["result"]
    assert found["frames"] == 10 and len(found["people"]) == 1
    person = found["people"][0]
    assert (
        person["number"] == 1
        and person["usable"] == person["frames"] == 6
        and person["reasons"] == {}
    )
    oval = found["view"]["faces"][0]["oval"]
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in oval) and len(oval) > 20
    for place in ("picture", "people/1"):
        answer = server.client.get(f"/api/v1/uploads/{upload['id']}/{place}")
        assert answer.headers["content-type"] == "image/jpeg" and answer.content.startswith(
            b"\xff\xd8"
        )


def test_a_poor_photo_is_told_with_the_reason_and_the_place(server, other_photo: Path) -> None:
    found = server.inspected(server.upload(other_photo)["id"])["result"]  # its face is 120 px high
    warning = next(one for one in found["warnings"] if one["code"] == "small")
    assert warning["message"] and warning["remedy"]
    left, top, width, height = warning["region"]
    assert 0 <= left < left + width <= 1 and 0 <= top < top + height <= 1


def test_preview_is_a_picture_and_needs_no_consent(server, inputs: dict) -> None:
    job = server.submit(kind="preview", consent=None, **inputs)
    done = server.wait(job["id"])
    assert done["state"] == "done", done["error"]
    assert server.client.get(done["output"]).content.startswith(b"\x89PNG")
    assert done["result"]["length"] == pytest.approx(0.24, abs=0.04)
    frame = done["result"]["frames"][-1]
    left, top, right, bottom = frame["face"]
    assert 0 <= left < right <= 160 and right - left == bottom - top
    for name in ("before", "after", "face_before", "face_after"):
        assert server.client.get(frame[name]).content.startswith(b"\xff\xd8")
    moment = server.wait(server.submit(kind="preview", consent=None, at=0.2, **inputs)["id"])
    assert [one["time"] for one in moment["result"]["frames"]] == [0.2]


def test_an_upload_is_kept_once(server, make_wav) -> None:
    path = make_wav(0.31)
    first = server.client.post("/api/v1/uploads?name=a.wav", content=path.read_bytes())
    again = server.client.post("/api/v1/uploads?name=b.wav", content=path.read_bytes())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["media"]["seconds"] == pytest.approx(0.31, abs=0.01)
    assert len(list((server.data / "uploads").glob(f"??/{first.json()['id']}"))) == 1
    assert (first.json()["name"], again.json()["name"]) == ("a.wav", "b.wav")  # as it was sent now


def test_idempotency_key(server, inputs: dict) -> None:
    headers = {"Idempotency-Key": "once"}
    first = server.submit(kind="preview", idempotency_key="once", **inputs)
    assert server.submit(kind="preview", idempotency_key="once", **inputs)["id"] == first["id"]
    other = server.client.post(
        "/api/v1/jobs", headers=headers, json={"kind": "preview", **inputs, "audio": None}
    )
    assert other.status_code == 409 and other.json()["field"] == "Idempotency-Key"


def test_what_the_pipeline_refuses_is_said_in_words_for_the_page(
    server, make_clip, make_wav
) -> None:
    target = server.upload(
        make_clip(name="nobody.mp4", frames=4, faceless=range(4)), name="My scene.mp4"
    )["id"]
    job = server.submit(target=target, audio=server.upload(make_wav(0.2))["id"])
    error = server.wait(job["id"])["error"]
    assert error["field"] == "target" and error["detail"].startswith("“My scene.mp4”: no face")
    assert "--" not in json.dumps(error) and str(server.data) not in json.dumps(error)


def test_a_job_keeps_the_names_of_its_time(server, inputs: dict, make_wav) -> None:
    words = make_wav(0.26)
    inputs["audio"] = server.upload(words, "Anna.wav")["id"]
    job = server.submit(kind="preview", **inputs)
    assert server.upload(words, "Tom.wav")["name"] == "Tom.wav"
    assert server.job(job["id"])["request"]["names"]["audio"] == "Anna.wav"


def test_titles_references_and_metadata(server, inputs: dict) -> None:
    job = server.submit(
        **inputs, title="Welcome", reference="order-1", metadata={"customer": "Silva"}
    )
    assert (job["title"], job["reference"]) == ("Welcome", "order-1")
    found = server.client.get("/api/v1/jobs", params={"reference": "order-1"}).json()["jobs"]
    assert [one["id"] for one in found] == [job["id"]]
    renamed = server.client.patch(f"/api/v1/jobs/{job['id']}", json={"title": "Hello"}).json()
    assert renamed["title"] == "Hello" and renamed["metadata"] == {"customer": "Silva"}
    assert renamed["revision"] > job["revision"]
    done = server.wait(job["id"])
    assert server.client.get(done["poster"]).content.startswith(b"\xff\xd8")


def test_place_in_the_queue(server, make_clip, make_wav) -> None:
    target = server.upload(make_clip(name="queue.mp4", frames=10))["id"]
    audio = server.upload(make_wav(20.0))["id"]
    running, first, second = (
        server.submit(target=target, audio=audio, options={"strength": share})["id"]
        for share in (1, 0.9, 0.8)
    )
    server.wait(running, until=lambda job: job["state"] == "running")
    assert [server.job(job)["ahead"] for job in (running, first, second)] == [None, 0, 1]
    server.client.post(f"/api/v1/jobs/{first}/cancel")
    assert server.job(second)["ahead"] == 0
    for job in (second, running):
        server.client.post(f"/api/v1/jobs/{job}/cancel")


def test_head_says_what_get_would_send(server, inputs: dict) -> None:
    done = server.wait(server.submit(kind="preview", consent=None, **inputs)["id"])
    content = f"/api/v1/uploads/{inputs['target']}/content"
    for path in (done["output"], content, done["result"]["frames"][0]["after"]):
        head, got = server.client.head(path), server.client.get(path)
        assert head.status_code == 200 and head.content == b""
        assert head.headers["content-length"] == str(len(got.content))
        assert head.headers["content-type"] == got.headers["content-type"]
    refused = server.client.put(done["output"])
    assert refused.status_code == 405 and refused.headers["allow"] == "GET, HEAD"


def test_health_is_where_the_documents_say(server) -> None:
    for path in ("/health", "/api/v1/health"):
        assert server.client.get(path).json()["status"] == "ok"


def test_cancel_while_it_waits_and_while_it_runs(server, make_clip, make_wav, photo: Path) -> None:
    target = server.upload(make_clip(name="long.mp4", frames=11))["id"]
    audio = server.upload(make_wav(30.0))["id"]
    running = server.submit(target=target, audio=audio)
    waiting = server.submit(target=target, audio=audio, options={"quality": "low"})
    server.wait(running["id"], until=lambda job: job["stage"] is not None)
    assert server.client.post(f"/api/v1/jobs/{waiting['id']}/cancel").json()["state"] == "cancelled"
    refused = server.client.delete(f"/api/v1/jobs/{running['id']}")
    assert refused.status_code == 409
    assert server.client.post(f"/api/v1/jobs/{running['id']}/cancel").json()["cancelling"]
    ended = server.wait(running["id"])
    assert ended["state"] == "cancelled" and ended["output"] is None
    assert server.client.get(f"/api/v1/jobs/{running['id']}/output").status_code == 409
    assert not list((server.data / "jobs" / running["id"]).glob("attempt-*"))


def test_deletion_is_real(server, make_clip, other_photo: Path) -> None:
    upload = server.upload(make_clip(name="gone.mp4", frames=3))["id"]
    statement = "agreed, says the one who will be forgotten"
    job = server.submit(target=upload, source=[server.upload(other_photo)["id"]], consent=statement)
    server.wait(job["id"])
    inspection = server.client.get(f"/api/v1/uploads/{upload}").json()["inspection"]["id"]
    assert (server.data / "jobs" / inspection / "picture.jpg").exists()
    assert server.client.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    assert server.client.delete(f"/api/v1/uploads/{upload}").status_code == 204
    assert server.client.get(f"/api/v1/jobs/{job['id']}").status_code == 404
    assert (
        not (server.data / "jobs" / job["id"]).exists()
        and not (server.data / "jobs" / inspection).exists()
    )
    assert not list((server.data / "uploads").glob(f"??/{upload}"))
    left = b"".join(path.read_bytes() for path in server.data.glob("swaptalk.sqlite*"))
    assert statement.encode() not in left


def test_events_tell_a_job_from_queue_to_end(server, inputs: dict) -> None:
    job = server.submit(kind="preview", **inputs, options={"strength": 0.5})["id"]
    seen = []
    with server.client.stream("GET", f"/api/v1/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
    assert seen[-1]["state"] == "done"  # and the stream has ended by itself
    revisions = [one["revision"] for one in seen]
    assert revisions == sorted(set(revisions))


def test_list_pages_and_filters(server, inputs: dict) -> None:
    made = [server.submit(kind="preview", **inputs)["id"] for _ in range(3)]
    query = {"kind": "preview", "limit": 2}
    first = server.client.get("/api/v1/jobs", params=query).json()
    rest = server.client.get("/api/v1/jobs", params={**query, "before": first["next"]}).json()
    assert [job["id"] for job in first["jobs"]] == made[:0:-1] and rest["jobs"][0]["id"] == made[0]
    for job in made:
        server.wait(job)


def test_a_template_is_made_once_and_used(server, make_clip, make_wav) -> None:
    target = server.upload(make_clip(name="again.mp4", frames=7))["id"]
    first = server.client.post("/api/v1/templates", json={"target": target})
    again = server.client.post("/api/v1/templates", json={"target": target})
    assert (first.status_code, again.status_code) == (201, 200) and first.json()[
        "id"
    ] == again.json()["id"]
    template = server.wait(first.json()["id"])
    assert template["state"] == "done", template["error"]
    job = server.submit(target=target, audio=server.upload(make_wav(0.2))["id"])
    assert job["template"] == template["id"]
    other = server.submit(
        target=target, audio=server.upload(make_wav(0.2))["id"], options={"end": 0.2}
    )
    assert other["template"] is None
    done = server.wait(job["id"])
    assert done["state"] == "done", done["error"]
    assert (
        "find faces" not in done["result"]["stages"]
        and "find faces" in server.wait(other["id"])["result"]["stages"]
    )
    assert [one["id"] for one in server.client.get("/api/v1/templates").json()["templates"]][
        :1
    ] == [template["id"]]
    assert server.client.delete(f"/api/v1/uploads/{target}").status_code == 204
    assert not (server.data / "jobs" / template["id"]).exists()
