"""A job as a row of the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["inspect", "preview", "render", "template"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
KINDS: tuple[Kind, ...] = ("inspect", "preview", "render", "template")
#: Kinds whose results belong to an upload, and go with it.
DERIVED: tuple[Kind, ...] = ("inspect", "template")
#: States that a job does not leave again.
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
#: Finding faces takes this share of the time that making the frames takes, as long as nothing is
#: measured.
_SURVEY_SHARE = 0.35
#: Seconds of a stage before its speed is believed, and frames, or a tenth of them if that is less:
#: before the first ones networks are loaded.
_SETTLING, _SETTLING_FRAMES = 1.5, 25
#: Stages in which every frame is visited, in order.
FIND_FACES, GENERATE = "find faces", "generate"


@dataclass(frozen=True)
class Job:
    """One row. Times are seconds since 1970."""

    id: str
    owner: str
    kind: Kind
    state: State
    request: dict[str, Any]
    consent: dict[str, Any] | None
    webhook: str | None
    template: str | None
    created: float
    started: float | None
    finished: float | None
    attempts: int
    token: int
    cancel: bool
    stage: str | None
    stage_total: int
    stage_first: int
    stage_done: int
    stage_begun: float | None
    furthest: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    revision: int
    title: str | None = None
    reference: str | None = None
    metadata: dict[str, str] | None = None
    names: dict[str, Any] | None = None
    base_url: str | None = None
    ahead: int | None = None
    """Jobs that will be begun before this one, while it waits."""

    @property
    def has_ended(self) -> bool:
        """Return whether the job has ended."""
        return self.state in ENDED

    @property
    def progress(self) -> float:
        """Return the share of the work that is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        share = self.stage_done / self.stage_total if self.stage_total else 0.0
        if self.stage == GENERATE:
            return _SURVEY_SHARE / (1 + _SURVEY_SHARE) + share / (1 + _SURVEY_SHARE)
        if self.stage == FIND_FACES and self.kind in ("render", "template"):
            return share * _SURVEY_SHARE / (1 + _SURVEY_SHARE)
        return share

    def seconds_left(self, now: float) -> float | None:
        """Estimate the seconds left from the speed of the running stage; None if unknown."""
        made = self.stage_done - self.stage_first
        if (
            self.state != "running"
            or self.stage_begun is None
            or made < max(1, min(_SETTLING_FRAMES, self.stage_total // 10))
            or now - self.stage_begun < _SETTLING
        ):
            return None
        each = (now - self.stage_begun) / made
        left = (self.stage_total - self.stage_done) * each
        if self.stage == FIND_FACES and self.kind == "render":
            left += self.stage_total * each / _SURVEY_SHARE
        return left


@dataclass(frozen=True)
class JobLabel:
    """What is said about a job and does not change what is done; see :class:`Job`."""

    title: str | None = None
    reference: str | None = None
    metadata: Mapping[str, str] | None = None
    names: Mapping[str, Any] | None = None
    base_url: str | None = None


def job_from(row: sqlite3.Row) -> Job:
    """Read a row of the table ``jobs``."""
    known = row.keys()
    values = {name: row[name] for name in Job.__dataclass_fields__ if name in known}
    for name in ("request", "consent", "result", "error", "metadata", "names"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Job(**{**values, "cancel": bool(values["cancel"])})


def output_path(job: str) -> str:
    """Where the API has the result of a job."""
    return f"/api/v1/jobs/{job}/output"
