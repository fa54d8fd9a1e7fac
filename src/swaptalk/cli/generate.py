"""``swaptalk generate|swap|sync``: make a video."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tyro

from swaptalk.cli.console import ConsoleOptions
from swaptalk.cli.progress import shown_progress
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.sandbox import pool
from swaptalk.pipeline.options import (
    AudioOptions,
    EngineOptions,
    GenerateOptions,
    RenderOptions,
    SourceOptions,
    narrowed,
)

if TYPE_CHECKING:
    from swaptalk.pipeline.api import SwapTalk


@dataclass(frozen=True, kw_only=True)
class GenerateCommand(ConsoleOptions, EngineOptions, GenerateOptions):
    """Options of ``swaptalk generate``."""

    person: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """One of several people: "face=2,source=photo.jpg,audio=words.wav" (also name, shape, ...)."""


@dataclass(frozen=True, kw_only=True)
class SwapCommand(ConsoleOptions, EngineOptions, RenderOptions, SourceOptions):
    """Options of ``swaptalk swap``."""


@dataclass(frozen=True, kw_only=True)
class SyncCommand(ConsoleOptions, EngineOptions, RenderOptions, AudioOptions):
    """Options of ``swaptalk sync``."""


Command = GenerateCommand | SwapCommand | SyncCommand


def run_generate(options: GenerateCommand) -> int:
    """``swaptalk generate``: new face and new words; returns the exit code."""
    if options.list_faces is None and not options.person:
        _require(
            options.source,
            "--source",
            "a photo of the person to put into the video",
            "swaptalk sync",
        )
        _require(options.audio, "--audio", "a recording of the words", "swaptalk swap")
    return _run(options)


def run_swap(options: SwapCommand) -> int:
    """``swaptalk swap``: new face, the video's own speech; returns the exit code."""
    if options.list_faces is None:
        _require(options.source, "--source", "a photo of the person to put into the video")
    return _run(options)


def run_sync(options: SyncCommand) -> int:
    """``swaptalk sync``: new words, the video's own face; returns the exit code."""
    if options.list_faces is None:
        _require(options.audio, "--audio", "a recording of the words")
    return _run(options)


def _require(value: object, option: str, what: str, instead: str | None = None) -> None:
    if not value:
        other = f", or use '{instead}'" if instead else ""
        raise InputError(f"{option} is missing", remedy=f"give {what}{other}")


def _run(options: Command) -> int:
    job = narrowed(options, GenerateOptions)
    job.check_values("render" if job.list_faces is None else "faces")
    progress = shown_progress(options.is_silent)
    pool.prepare()
    from swaptalk.pipeline.api import SwapTalk  # while the decoding process starts

    maker = SwapTalk.from_options(options, progress)
    try:
        if options.list_faces is not None:
            return _list_faces(maker, job, options)
        report = maker.generate(job)
    except (KeyboardInterrupt, SwapTalkError, OSError) as error:
        progress.end()
        _say_how_to_resume(job, error)
        raise
    if report is None:
        _say(options, f"{options.preview}: a preview of the result")
    elif options.json:
        print(report.to_json(), end="")
    else:
        passed = "".join(
            f", {count} unchanged ({reason})" for reason, count in report.passed_through.items()
        )
        for one in report.people:
            _say(options, f"{one['person']}: changed in {one['changed']} frames")
        _say(
            options,
            f"{options.output}: {report.frames} frames{passed}; {report.seconds:.1f} s, "
            f"{report.fps:.1f} frames a second",
        )
    return 0


def _list_faces(maker: SwapTalk, job: GenerateOptions, options: Command) -> int:
    faces = maker.list_faces(job)
    if options.json:
        print(json.dumps([dataclasses.asdict(face) for face in faces]))
    else:
        for face in faces:
            _say(options, f"--face {face.number}: {face.summary}")
        _say(options, f"{options.list_faces}: a picture of each")
    return 0


def _say(options: Command, text: str) -> None:
    if not options.is_silent:
        print(text)


def _say_how_to_resume(options: GenerateOptions, error: BaseException) -> None:
    from swaptalk.pipeline.checks import ChangedInputError
    from swaptalk.pipeline.job import job_path

    if options.output is None:
        return
    if isinstance(error, ChangedInputError):
        return  # finished parts show the old file: the next run without --resume replaces them
    if job_path(options.output).exists():
        print(
            f"swaptalk: finished parts are kept in {job_path(options.output)}; continue with the "
            "same command and --resume, or delete that folder",
            file=sys.stderr,
        )
    elif isinstance(error, KeyboardInterrupt):
        print(
            "swaptalk: interrupted before the first chunk was finished; nothing was written",
            file=sys.stderr,
        )
