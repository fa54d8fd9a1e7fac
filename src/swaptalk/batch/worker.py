"""Run one task in a worker process, on this machine or on a cluster."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from swaptalk.batch.status import Status, read_status, write_status
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.job import OtherJobError
from swaptalk.pipeline.options import EngineOptions, GenerateOptions
from swaptalk.pipeline.progress import Progress
from swaptalk.workers.memory import limit_arenas


@dataclass(frozen=True)
class Task:
    """A row to render, or a shared template to build."""

    name: str
    kind: Literal["row", "template"]
    options: GenerateOptions
    engine: EngineOptions
    status: Path
    fingerprint: str
    frames: int
    """Frames of the output, for the estimate."""


@dataclass(frozen=True)
class Reached:
    """Progress: ``done`` of ``total`` frames of a stage; ``first`` existed at its start."""

    stage: str = ""
    total: int = 0
    first: int = 0
    done: int = 0


class Follower(Progress):
    """Keeps the progress of a worker, for other threads to read."""

    def __init__(self) -> None:
        self.reached = Reached()

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Start a stage."""
        self.reached = Reached(stage, total, done, done)

    def advance(self, count: int) -> None:
        """Count finished frames."""
        self.reached = replace(self.reached, done=self.reached.done + count)


#: Cores that one worker uses well: one for the networks, one for video in and out.
CORES_PER_WORKER = 2
#: The networks of this process, loaded with its first task.
_maker: tuple[tuple[EngineOptions, Progress | None], SwapTalk] | None = None


def _loaded(engine: EngineOptions, progress: Progress | None) -> SwapTalk:
    global _maker
    key = engine, progress
    if _maker is None or _maker[0] != key:
        limit_arenas()
        _maker = key, SwapTalk.from_options(*key)
    return _maker[1]


def run_task(task: Task, progress: Progress | None = None) -> Status:
    """Run a task unless it is done, and keep its status file up to date.

    Continues after the last finished chunk of an earlier attempt. Errors are returned in the
    status, not raised. Give the same ``progress`` with every task of a process: the networks stay
    loaded with it.
    """
    status = read_status(task.status, task.name, task.fingerprint)
    output = task.options.output
    assert output is not None
    if status.state == "done" and output.exists():
        return status
    status = status.begun()
    write_status(task.status, status)
    begun = time.monotonic()
    try:
        maker = _loaded(task.engine, progress)
        if task.kind == "template":
            _build(maker, task.options, output)
        else:
            _render(maker, task.options)
        status = replace(status, state="done", output=str(output), frames=task.frames)
    except InputError as error:
        status = replace(status, state="failed", error=str(error), fault=_fault(error))
    except SwapTalkError as error:
        status = replace(status, state="waiting", error=str(error), fault=_fault(error))
    except (OSError, RuntimeError, MemoryError) as error:
        status = replace(
            status, state="waiting", error=" ".join(str(error).split()) or type(error).__name__
        )
    except Exception as error:  # what nobody foresaw is the row's failure, not the batch's
        status = replace(
            status, state="waiting", error=" ".join(f"{type(error).__name__}: {error}".split())
        )
    status = replace(status, seconds=round(time.monotonic() - begun, 3))
    write_status(task.status, status)
    return status


class JobWorker:
    """Does the tasks of one process, or of one actor of a cluster, and says meanwhile how far it
    is.
    """

    def __init__(self) -> None:
        self._follower = Follower()

    def run(self, task: Task) -> Status:
        """See `run_task`."""
        self._follower.begin("", 0)
        return run_task(task, self._follower)

    def reached(self) -> Reached:
        """How far the current task is."""
        return self._follower.reached


def _fault(error: SwapTalkError) -> dict[str, str | None]:
    path = None if error.path is None else str(error.path)
    return {"problem": error.problem, "path": path, "remedy": error.remedy}


def _render(maker: SwapTalk, options: GenerateOptions) -> None:
    try:
        maker.generate(replace(options, resume=True))
    except OtherJobError:
        maker.generate(options)


def _build(maker: SwapTalk, options: GenerateOptions, output: Path) -> None:
    settings = {
        name: getattr(options, name) for name in ("face", "start", "end", "fps", "resolution")
    }
    person = {
        name: getattr(options, name)
        for name in ("source", "source_face", "strength", "shape", "consent")
    }
    try:
        maker.build_template(options.target, output, **settings, **person)
    except InputError:
        if not options.source:
            raise
        # If it is the photo, then the rows that name it will say so; the others need their
        # template.
        maker.build_template(options.target, output, **settings)
