"""Keywords of the Python interface: names and types of a job's options."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, TypedDict, Union

from swaptalk.errors import InputError
from swaptalk.pipeline.options import (
    Background,
    Crop,
    EngineOptions,
    GenerateOptions,
    Lips,
    Order,
    Region,
    SubtitleKind,
)
from swaptalk.pipeline.timeline import Extend, LengthPolicy

_Path = Union[str, "os.PathLike[str]"]

#: What `SwapTalk.from_pretrained` takes, and no job.
ENGINE_OPTIONS = tuple(field.name for field in dataclasses.fields(EngineOptions))
#: What only the command line takes.
COMMAND_LINE_OPTIONS = ("quiet", "json")


class TemplateSettings(TypedDict, total=False):
    """Keywords of `SwapTalk.build_template`; `GenerateOptions` explains them."""

    face: str | None
    start: float
    end: float | None
    fps: str | int | float | Fraction | None
    resolution: str | None
    source: _Path | Sequence[_Path]
    source_face: str | None
    strength: float
    shape: float
    consent: str | None


class LiveSettings(TemplateSettings, total=False):
    """Keywords of `SwapTalk.stream`; `GenerateOptions` explains them."""

    target: _Path
    person: str | Sequence[str]
    detail: bool
    restoration: bool
    extend: Extend
    order: Order
    region: Region | None
    crop: Crop | None
    label: bool
    label_text: str
    label_font: _Path | None
    certificate: _Path | None
    key: _Path | None


class JobSettings(LiveSettings, total=False):
    """Keywords of the other methods of `SwapTalk`; `GenerateOptions` explains them."""

    output: _Path | None
    list_faces: _Path | None
    preview: _Path | None
    quality: str | int
    codec: str | None
    thumbnail: _Path | None
    subtitles: _Path | None
    subtitles_as: SubtitleKind
    keep_tracks: bool
    stats: _Path | None
    resume: bool
    allow_long: bool
    timestamp_url: str | None
    audio: _Path | None
    turns: _Path | None
    length: LengthPolicy
    lips: Lips
    background: Background
    background_gain: float
    duck_gain: float
    loudness: float | None


def job_options(
    options: GenerateOptions | None,
    settings: Mapping[str, object],
    known: type[Any] = JobSettings,
) -> GenerateOptions:
    """The options of a job, given as one object or as keywords.

    Args:
        options: all options; then no keywords.
        settings: keywords.
        known: the keywords that are allowed.

    Raises:
        InputError: both are given, the target is missing, or a keyword is unknown or belongs to
            the engine.
    """
    if options is not None:
        if settings:
            raise InputError(
                f"options and the keyword {next(iter(settings))} are given",
                remedy="give either, or change the options with dataclasses.replace",
            )
        return options
    names = ["target", *known.__optional_keys__]
    for name in settings:
        if name not in names:
            raise InputError(f"{name} is no option of this method", remedy=_remedy(name, names))
    if "target" not in settings:
        raise InputError("no target is given", remedy="give target=, a video or a photo")
    return GenerateOptions(**settings)  # type: ignore[arg-type]


def _remedy(name: str, names: Sequence[str]) -> str:
    if name in ENGINE_OPTIONS:
        return f"give {name} to SwapTalk.from_pretrained, which loads the networks"
    if name in COMMAND_LINE_OPTIONS:
        return "leave it out: it is for the command line"
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(names))}"
