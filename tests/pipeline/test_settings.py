"""Keywords of the Python interface: complete, and none is ignored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from swaptalk.errors import InputError
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.settings import (
    NO_JOB_OPTIONS,
    JobSettings,
    TemplateSettings,
    job_options,
)


def test_the_keywords_are_the_fields_of_a_job() -> None:
    fields = {field.name for field in dataclasses.fields(GenerateOptions)}
    assert set(JobSettings.__optional_keys__) == fields - set(NO_JOB_OPTIONS)


def test_keywords_make_options() -> None:
    made = job_options(None, {"target": "a.mp4", "source": "b.jpg", "fps": 25})
    assert made == GenerateOptions(target=Path("a.mp4"), source=(Path("b.jpg"),), fps="25")
    assert job_options(made, {}) is made


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"device": "cuda"}, "give device to SwapTalk.from_pretrained"),
        ({"quiet": True}, "for the command line"),
        ({"adio": "a.wav"}, "did you mean audio"),
        ({"zzz": 1}, "known are allow_long"),
        ({"audio": "a.wav"}, "no target is given"),
    ],
)
def test_wrong_keywords_are_refused(settings: dict[str, object], said: str) -> None:
    named = settings if said.startswith("no target") else {"target": "a.mp4", **settings}
    with pytest.raises(InputError, match=said):
        job_options(None, named)


def test_what_a_template_cannot_take_is_refused() -> None:
    with pytest.raises(InputError, match="audio is no option"):
        job_options(None, {"target": "a.mp4", "audio": "a.wav"}, TemplateSettings)


def test_options_and_keywords_exclude_each_other() -> None:
    with pytest.raises(InputError, match="keyword strength"):
        job_options(GenerateOptions(target=Path("a.mp4")), {"strength": 0.5})
