"""Leases and fencing tokens: what holds when workers die, sleep and wake up."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from swaptalk.serving.store.claims import Claims, LeaseLostError, Signal, Step, release_worker
from swaptalk.serving.store.data_folder import DataFolder
from swaptalk.serving.store.jobs import InputGoneError, KeyReusedError, TooManyJobsError
from swaptalk.serving.store.workspace import Workspace


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


class Clock:
    """Stands still unless it is moved on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def claims(data: DataFolder, clock: Clock) -> Callable[..., Claims]:
    """Make the claims of a worker whose leases last 10 s."""

    def make(name: str = "a", attempts: int = 3) -> Claims:
        return Claims(data.database, name, attempts, 10.0, clock)

    return make


def submit(data: DataFolder, **more: object) -> str:
    return data.store.submit("me", "render", {"n": 1}, **more)[0].id  # type: ignore[arg-type]


def test_a_job_goes_to_one_worker_and_after_its_lease_to_another(
    data: DataFolder, claims: Callable[..., Claims], clock: Clock
) -> None:
    job = submit(data)
    first = claims("a").claim(["render"])
    assert first is not None and first.id == job and first.token == 1
    assert claims("b").claim(["render"]) is None
    clock.now += 11
    second = claims("b").claim(["render"])
    assert second is not None and second.id == job and second.token == 2


def test_heartbeats_keep_the_lease(
    data: DataFolder, claims: Callable[..., Claims], clock: Clock
) -> None:
    submit(data)
    mine = claims()
    job = mine.claim(["render"])
    for _ in range(4):
        clock.now += 6
        assert mine.heartbeat(job, None) is Signal.GO_ON
    assert claims("b").claim(["render"]) is None


def test_one_that_slept_through_its_lease_changes_nothing(
    data: DataFolder, claims: Callable[..., Claims], clock: Clock
) -> None:
    name = submit(data)
    sleeper = claims("sleeper")
    old = sleeper.claim(["render"])
    clock.now += 11
    new = claims("new").claim(["render"])
    published: list[str] = []
    with pytest.raises(LeaseLostError):
        sleeper.finish(old, {"by": "sleeper"}, lambda: published.append("sleeper"))
    with pytest.raises(LeaseLostError):
        sleeper.fail(old, {})
    with pytest.raises(LeaseLostError):
        sleeper.show(old, {})
    assert sleeper.heartbeat(old, Step("generate", 9, 0, 9, 0.0)) is Signal.LOST
    sleeper.release(old)
    assert data.store.get("me", name).state == "running" and published == []
    claims("new").finish(new, {"by": "new"}, lambda: published.append("new"))
    assert data.store.get("me", name).result == {"by": "new"} and published == ["new"]


def test_a_publication_that_fails_leaves_the_job_running(
    data: DataFolder, claims: Callable[..., Claims]
) -> None:
    name = submit(data)
    mine = claims()
    job = mine.claim(["render"])
    with pytest.raises(OSError, match="full"):
        mine.finish(job, {}, lambda: (_ for _ in ()).throw(OSError("full")))
    assert data.store.get("me", name).state == "running"


def test_attempts_are_limited_unless_they_get_further(
    data: DataFolder, claims: Callable[..., Claims]
) -> None:
    name = submit(data)
    for attempt in range(6):
        mine = claims(str(attempt))
        job = mine.claim(["render"])
        assert job is not None, attempt
        # The first four each go on from a chunk more than the one before; the others die in vain.
        mine.heartbeat(job, Step("generate", 100, min(attempt, 3) * 10, 50, 0.0))
        release_worker(data.database, str(attempt))
    assert claims("last").claim(["render"]) is None
    ended = data.store.get("me", name)
    assert ended.state == "failed" and ended.error is not None
    assert "3 times without getting further" in ended.error["detail"]


def test_a_released_job_is_free_at_once_and_it_was_no_attempt(
    data: DataFolder, claims: Callable[..., Claims]
) -> None:
    name = submit(data)
    mine = claims()
    for _ in range(5):
        mine.release(mine.claim(["render"]))
    assert data.store.get("me", name).attempts == 0


def test_errors_nobody_foresaw_are_tried_again_after_a_while(
    data: DataFolder, claims: Callable[..., Claims], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swaptalk.serving.store.claims.BACKOFF_SECONDS", 10.0)
    name = submit(data)
    mine = claims(attempts=2)
    mine.fail(mine.claim(["render"]), {"title": "x"}, retry=True)
    assert mine.claim(["render"]) is None and data.store.get("me", name).state == "queued"
    clock.now += 11
    mine.fail(mine.claim(["render"]), {"title": "x"}, retry=True)
    assert data.store.get("me", name).state == "failed"


def test_a_dead_workers_cancelled_job_ends(data: DataFolder, claims: Callable[..., Claims]) -> None:
    name = submit(data)
    claims("a").claim(["render"])
    data.store.cancel("me", name)
    release_worker(data.database, "a")
    assert claims("b").claim(["render"]) is None
    assert data.store.get("me", name).state == "cancelled"


def test_submissions_that_are_refused(data: DataFolder) -> None:
    submit(data, idempotency_key="k")
    with pytest.raises(KeyReusedError):
        data.store.submit("me", "render", {"n": 2}, idempotency_key="k")
    # Another owner's keys are others.
    assert data.store.submit("you", "render", {"n": 2}, idempotency_key="k")[1]
    with pytest.raises(TooManyJobsError):
        submit(data, most_waiting=1)
    with pytest.raises(InputGoneError):
        submit(data, inputs=[("0" * 64, "target")])
    assert len(data.store.newest("me")) == 1


def _claim_all(folder: Path, name: str, found: multiprocessing.Queue) -> None:
    mine = Claims(DataFolder(folder).database, name, 3, 60)
    while (job := mine.claim(["render"])) is not None:
        found.put(job.id)
    found.put(None)


def test_processes_that_claim_at_once_get_different_jobs(data: DataFolder) -> None:
    made = {submit(data) for _ in range(40)}
    spawn = multiprocessing.get_context("spawn")
    found = spawn.Queue()
    processes = [
        spawn.Process(target=_claim_all, args=(data.folder, str(n), found)) for n in range(3)
    ]
    for process in processes:
        process.start()
    got, open_ends = [], len(processes)
    while open_ends:
        job = found.get(timeout=120)
        open_ends -= job is None
        got += [job] if job else []
    assert len(got) == 40 and set(got) == made


def test_an_attempt_takes_over_what_a_dead_one_left(tmp_path: Path) -> None:
    space = Workspace(tmp_path, "job")
    first = space.begin(1, "output.mp4")
    (first / "output.mp4.job" / "chunks").mkdir(parents=True)
    (first / "output.mp4.job" / "chunks" / "000000.mp4").write_bytes(b"chunk")
    second = space.begin(2, "output.mp4")
    assert (
        second / "output.mp4.job" / "chunks" / "000000.mp4"
    ).read_bytes() == b"chunk" and not first.exists()


def test_an_attempt_copies_from_one_that_still_lives(tmp_path: Path) -> None:
    from swaptalk.pipeline.job import JobFolder

    space = Workspace(tmp_path, "job")
    first = space.begin(1, "output.mp4")
    with JobFolder(first / "output.mp4", "print") as alive:
        alive.begin(resume=True)
        alive.chunk(0).write_bytes(b"chunk")
        (alive.chunks / "000001.mp4.part").write_bytes(b"half")
        second = space.begin(2, "output.mp4")
        copied = second / "output.mp4.job" / "chunks"
        assert [path.name for path in copied.iterdir()] == ["000000.mp4"]
        alive.chunk(0).write_bytes(b"what the sleeper does when it wakes up")
        assert (copied / "000000.mp4").read_bytes() == b"chunk"
