"""What is derived from the row of a job."""

from __future__ import annotations

import dataclasses

import pytest

from swaptalk.serving.store.job import GENERATE, Job


def running(total: int, done: int) -> Job:
    """A render that has made so many of its frames since second 100."""
    values = {field.name: None for field in dataclasses.fields(Job)}
    return Job(
        **values
        | {
            "kind": "render",
            "state": "running",
            "stage": GENERATE,
            "stage_begun": 100.0,
            "stage_total": total,
            "stage_first": 0,
            "stage_done": done,
        }
    )


def test_no_time_is_named_while_networks_are_loaded() -> None:
    assert running(1000, 1).seconds_left(103.0) is None  # it would be 50 minutes
    assert running(1000, 25).seconds_left(105.0) == pytest.approx(195)
    assert running(40, 3).seconds_left(103.0) is None
    assert running(40, 4).seconds_left(104.0) == pytest.approx(36)
    assert running(4, 1).seconds_left(102.0) == pytest.approx(6)
