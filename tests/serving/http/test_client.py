"""The Python client against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from swaptalk.client import ApiError, Client, Job, JobFailedError
from swaptalk.media.probe import probe


def test_upload_wait_and_download(
    server, make_clip, make_wav, other_photo: Path, tmp_path: Path
) -> None:
    client = Client(server.url)
    photo = client.upload(other_photo, "Anna.jpg")
    assert photo.kind == "photo" and photo.name == "Anna.jpg"
    assert client.inspect(photo)["people"][0]["usable"] == 1
    told: list[Job] = []
    job = client.submit(
        target=client.upload(make_clip(frames=8)),
        source=[photo],
        audio=client.upload(make_wav(0.24)),
        consent=server.consent,
        reference="client-1",
    )
    done = client.wait(job, told.append, timeout=120)
    assert done.progress == 1 and told[-1] == done and told[0].state in ("queued", "running")
    assert [one.id for one in client.jobs("client-1")] == [job.id]
    video = probe(client.download(job, tmp_path / "out.mp4")).video
    assert video is not None and video.frame_count_estimate == 6
    client.delete(done)
    with pytest.raises(ApiError, match="There is no such job") as gone:
        client.job(job)
    assert gone.value.status == 404


def test_refusals_failures_and_silence(server, make_clip, make_wav, tmp_path: Path) -> None:
    client = Client(server.url)
    scene, words = client.upload(make_clip(frames=9)), client.upload(make_wav(20.0))
    with pytest.raises(ApiError) as refused:
        client.submit(target=scene, audio=words)
    assert (refused.value.status, refused.value.field) == (422, "consent")
    assert refused.value.remedy
    job = client.submit(target=scene, audio=words, consent=server.consent, title="x")
    with pytest.raises(TimeoutError, match="is still"):
        client.wait(job, timeout=0)
    with pytest.raises(ApiError, match="The job is"):
        client.download(job, tmp_path / "none.mp4")
    assert not list(tmp_path.glob("none*"))
    client.cancel(job)
    with pytest.raises(JobFailedError, match="was cancelled"):
        client.wait(job, timeout=60)
    with pytest.raises(ApiError, match="does not answer") as silent:
        Client("http://127.0.0.1:9", timeout=2).job("x")
    assert silent.value.status == 0


def test_words_from_text(server) -> None:
    client = Client(server.url)
    voice = next(voice for voice in client.voices() if voice["language"].startswith("en"))
    assert client.speak("Good morning", voice["id"]).kind == "audio"
