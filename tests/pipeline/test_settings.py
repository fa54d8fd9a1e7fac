"""Keywords of the Python interface: complete, and none is ignored."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from swaptalk.cli.console import ConsoleOptions
from swaptalk.errors import InputError
from swaptalk.pipeline.options import EngineOptions, GenerateOptions, fingerprinted, narrowed
from swaptalk.pipeline.settings import (
    COMMAND_LINE_OPTIONS,
    ENGINE_OPTIONS,
    JobSettings,
    TemplateSettings,
    job_options,
)


def names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_the_keywords_are_the_fields_of_a_job() -> None:
    assert set(JobSettings.__optional_keys__) == names(GenerateOptions)


def test_what_is_no_keyword_of_a_job_belongs_to_the_engine_or_the_command_line() -> None:
    assert names(ConsoleOptions) == set(COMMAND_LINE_OPTIONS)
    assert names(EngineOptions) == set(ENGINE_OPTIONS)
    for others in (ConsoleOptions, EngineOptions):
        assert not names(others) & names(GenerateOptions)


def test_a_job_is_identified_by_what_changes_the_output() -> None:
    job = GenerateOptions(target=Path("a.mp4"), source=(Path("b.jpg"),), audio=Path("c.wav"))
    known = fingerprinted(job)
    # The files count by their content, and the output of a resumed job may have moved.
    for change in (
        {"target": Path("z.mp4")},
        {"source": ()},
        {"audio": None},
        {"output": Path("o.mp4")},
        {"resume": True},
        {"allow_long": True},
        {"consent": "yes"},
        {"stats": Path("s.json")},
    ):
        assert fingerprinted(dataclasses.replace(job, **change)) == known
    changes: list[dict[str, Any]] = [
        {"strength": 0.5},
        {"shape": 0.0},
        {"detail": False},
        {"end": 2.0},
        {"quality": "low"},
        {"codec": "av1"},
        {"label": True},
        {"label_text": "made"},
        {"order": "sync-first"},
        {"length": "video"},
        {"extend": "freeze"},
        {"region": "mouth"},
        {"face": "left"},
    ]
    for change in changes:
        assert fingerprinted(dataclasses.replace(job, **change)) != known


def test_narrowed_options_are_one_kind_only() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Both(EngineOptions, GenerateOptions):
        pass

    both = Both(target=Path("a.mp4"), threads=3, strength=0.5)
    assert narrowed(both, EngineOptions) == EngineOptions(threads=3)
    assert narrowed(both, GenerateOptions) == GenerateOptions(target=Path("a.mp4"), strength=0.5)


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (EngineOptions(threads=-1), "--threads -1 is out of range"),
        (EngineOptions(device="gpu"), "--device gpu is unknown"),  # type: ignore[arg-type]
        (EngineOptions(precision="int4"), "--precision int4 is unknown"),  # type: ignore[arg-type]
    ],
)
def test_an_engine_that_cannot_be_is_refused(engine: EngineOptions, said: str) -> None:
    with pytest.raises(InputError, match=said):
        engine.check_engine()


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
