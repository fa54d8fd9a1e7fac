"""Interrupted jobs: nothing half-written, and going on from the last finished chunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.render import write


class StopAt(Progress):
    """Presses Ctrl-C when so many frames have been generated."""

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.generating = False

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        self.generating = stage == "generate"

    def advance(self, count: int) -> None:
        self.left -= count if self.generating else 0
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture
def job(
    make_clip, make_wav, other_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict:
    monkeypatch.setattr(write, "CHUNK_SECONDS", 0.4)  # ten frames
    return {
        "source": other_photo,
        "target": make_clip(frames=12),
        "audio": make_wav(1.4),
        "output": tmp_path / "out.mp4",
    }


def interrupt(analyser, networks, job: dict, after: int = 25) -> None:
    with pytest.raises(KeyboardInterrupt):
        SwapTalk(networks, analyser, StopAt(after)).generate(**job)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("lips", ["composite", "latent"])
def test_going_on_after_an_interruption(
    analyser, networks, maker: SwapTalk, job: dict, tmp_path: Path, lips: str
) -> None:
    job = {**job, "lips": lips}
    whole = maker.generate(**{**job, "output": tmp_path / "whole.mp4"})
    interrupt(analyser, networks, job)
    assert "out.mp4" not in files(tmp_path)
    assert {"000000.mp4", "000001.mp4", "000000.npz", "000001.npz"} <= files(
        tmp_path / "out.mp4.job" / "chunks"
    )
    assert "000002.mp4" not in files(tmp_path / "out.mp4.job" / "chunks")
    encoded = networks.encoded
    report = maker.generate(**job, resume=True)
    assert report is not None and whole is not None
    assert report.frames == whole.frames == 35 and report.resumed_frames == 20
    # The target is played back and forth: every face had been made, and was kept.
    assert networks.encoded == encoded or lips == "composite"
    assert not (tmp_path / "out.mp4.job").exists()
    with VideoReader(tmp_path / "out.mp4") as resumed, VideoReader(tmp_path / "whole.mp4") as once:
        for a, b in zip(resumed.frames(), once.frames(), strict=True):
            assert np.array_equal(a, b)


def test_other_options_or_inputs_are_not_gone_on_with(
    analyser, networks, maker: SwapTalk, job: dict, make_wav, tmp_path: Path
) -> None:
    interrupt(analyser, networks, job)
    with pytest.raises(InputError, match="other inputs, options or weights; repeat the command"):
        maker.generate(**job, resume=True, strength=0.5)
    make_wav(1.2)  # the same file with other contents
    with pytest.raises(InputError, match="other inputs"):
        maker.generate(**job, resume=True)
    assert (tmp_path / "out.mp4.job" / "chunks" / "000001.mp4").exists()
    report = maker.generate(**job)  # without --resume the job starts afresh
    assert report is not None and report.resumed_frames == 0


def test_a_chunk_without_its_state_is_made_again(
    analyser, networks, maker: SwapTalk, job: dict, tmp_path: Path
) -> None:
    interrupt(analyser, networks, job)
    (tmp_path / "out.mp4.job" / "chunks" / "000001.npz").unlink()
    report = maker.generate(**job, resume=True)
    assert report is not None and report.resumed_frames == 10


@pytest.mark.parametrize("how", ["rewritten", "replaced", "gone"])
def test_a_target_that_changes_during_the_job(
    analyser, networks, job: dict, make_clip, tmp_path: Path, how: str
) -> None:
    class Changing(StopAt):
        def advance(self, count: int) -> None:
            self.left -= count if self.generating else 0
            if self.left < 0 and job["target"].exists():
                if how == "gone":
                    job["target"].unlink()
                elif how == "replaced":
                    make_clip("other.mp4", frames=5).replace(job["target"])
                else:
                    job["target"].write_bytes(b"something else" * 1000)

    with pytest.raises(InputError, match="target.mp4: changed while the job was reading it"):
        SwapTalk(networks, analyser, Changing(3)).generate(**job)
    assert "out.mp4" not in files(tmp_path)


def test_resume_without_anything_to_resume(maker: SwapTalk, job: dict) -> None:
    report = maker.generate(**job, resume=True)
    assert report is not None and report.resumed_frames == 0


def test_stopped_before_the_analysis_is_done_nothing_stays(
    analyser, networks, job: dict, tmp_path: Path
) -> None:
    class StopAtOnce(Progress):
        def advance(self, count: int) -> None:
            raise KeyboardInterrupt

    before = files(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        SwapTalk(networks, analyser, StopAtOnce()).generate(**job)
    assert files(tmp_path) == before


def test_an_error_in_a_thread_arrives_and_leaves_no_output(
    maker: SwapTalk, networks, job: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "decode", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        maker.generate(**job)
    assert "out.mp4" not in files(tmp_path)
    assert not any(path.suffix == ".part" for path in tmp_path.rglob("*"))


def test_a_folder_that_is_not_a_job_is_never_deleted(
    maker: SwapTalk, job: dict, tmp_path: Path
) -> None:
    (tmp_path / "out.mp4.job").mkdir()
    (tmp_path / "out.mp4.job" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="working folder"):
        maker.generate(**job)
    assert (tmp_path / "out.mp4.job" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", "job.json.part")])
@pytest.mark.parametrize("resume", [False, True])
def test_a_job_killed_before_its_record_was_written_is_begun_anew(
    tmp_path: Path, left: tuple[str, ...], resume: bool
) -> None:
    from swaptalk.pipeline.job import JobFolder, job_path

    output = tmp_path / "out.mp4"
    job_path(output).mkdir()
    for name in left:
        (job_path(output) / name).touch()
    with JobFolder(output, "first") as folder:
        folder.begin(resume)
        assert folder.chunks.is_dir() and folder.analysis.is_dir()
    assert not job_path(output).exists()


def test_two_jobs_with_one_output_do_not_meet(maker: SwapTalk, job: dict, tmp_path: Path) -> None:
    from swaptalk.pipeline.job import JobFolder

    with JobFolder(tmp_path / "out.mp4", "first") as first:
        first.begin(resume=False)
        with pytest.raises(InputError, match="another SwapTalk is working"):
            maker.generate(**job)
    assert maker.generate(**job) is not None
