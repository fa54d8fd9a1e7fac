"""``swaptalk template build|info|preview``: analyse a target once for many videos."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from swaptalk.cli.console import ConsoleOptions
from swaptalk.cli.progress import shown_progress
from swaptalk.errors import InputError
from swaptalk.inference.bundle import ModelBundle
from swaptalk.media.image import write_image
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.checks import IMAGE_SUFFIXES, check_output
from swaptalk.pipeline.options import DEFAULT_FACE, EngineOptions, SourceOptions, TargetOptions
from swaptalk.pipeline.render.swapped import SWAPPED
from swaptalk.pipeline.template.preview import template_sheet
from swaptalk.pipeline.template.template import Template


@dataclass(frozen=True, kw_only=True)
class Build(ConsoleOptions, EngineOptions, TargetOptions, SourceOptions):
    """Analyse a video or photo and write a template, the --target of any number of jobs."""

    target: tyro.conf.Positional[Path]
    """Video or photo: the scene, the head movement and the expression."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Template to write (.swaptalk). It appears when all is finished."""
    embed: bool = False
    """Embed the target, so that the template can be moved without it."""
    source: tuple[Path, ...] = ()
    """Build this person in: jobs with the same photos get faster (32 or 64 kB a frame)."""
    consent: str | None = None
    """Why the source may be used, if its photo or the policy asks: a file or a sentence."""


@dataclass(frozen=True)
class Info:
    """Show what a template holds, and whether it and its target are undamaged."""

    template: tyro.conf.Positional[Path]
    """The template (.swaptalk)."""
    json: bool = False
    """Print one JSON object."""


@dataclass(frozen=True)
class Preview:
    """Write a picture of a few frames: the face in them, and its crop for the networks."""

    template: tyro.conf.Positional[Path]
    """The template (.swaptalk)."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Picture to write (.png or .jpg)."""


Options = (
    Annotated[Build, tyro.conf.subcommand("build")]
    | Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Preview, tyro.conf.subcommand("preview")]
)


def run(options: Build | Info | Preview) -> int:
    """Run a subcommand; return the exit code."""
    if isinstance(options, Build):
        return _build(options)
    return _info(options) if isinstance(options, Info) else _preview(options)


def _build(options: Build) -> int:
    if not options.detail:
        raise InputError(
            "--no-detail changes nothing in a template",
            remedy="give it to the jobs that use the template",
        )
    progress = shown_progress(options.is_silent)
    maker = SwapTalk.from_options(options, progress)
    try:
        template = maker.build_template(
            options.target,
            options.output,
            embed=options.embed,
            face=options.face,
            start=options.start,
            end=options.end,
            fps=options.fps,
            resolution=options.resolution,
            source=options.source,
            source_face=options.source_face,
            strength=options.strength,
            shape=options.shape,
            consent=options.consent,
        )
    finally:
        progress.end()
    if options.json:
        print(json.dumps(_described(template)))
    elif not options.quiet:
        print(f"{options.output}: {_summary(template)}")
    return 0


def _info(options: Info) -> int:
    template = Template.open(options.template)
    template.verify()
    record = _described(template)
    try:
        template.target()
        target = "in the template" if template.header.target.embedded else "found, unchanged"
    except InputError as error:
        target = f"{error.problem}; {error.remedy}"
    weights = "not those of this program"
    if template.header.weights == ModelBundle.from_pretrained().fingerprint:
        weights = "those of this program"
    if options.json:
        print(json.dumps({**record, "target_state": target, "weights_state": weights}))
        return 0
    header = template.header
    print(f"{options.template}: {_summary(template)}")
    until = "its end" if header.end is None else f"{header.end:g} s"
    for name, value in (
        ("target", f"{header.target.name} ({target})"),
        ("part", f"from {header.start:g} s to {until}"),
        ("face", header.face or DEFAULT_FACE),
        ("scenes", str(len(header.cuts) + 1)),
        ("source", _source(template)),
        ("weights", f"{header.weights[:12]} ({weights})"),
        ("made by", f"SwapTalk {header.software}"),
        ("size", f"{options.template.stat().st_size / 1e6:.1f} MB, all checksums match"),
    ):
        print(f"  {name:<8} {value}")
    return 0


def _preview(options: Preview) -> int:
    check_output(options.output, IMAGE_SUFFIXES, (options.template,))
    write_image(options.output, template_sheet(Template.open(options.template)))
    print(f"{options.output}: a few frames of the template")
    return 0


def _described(template: Template) -> dict[str, Any]:
    return {
        "template": str(template.path),
        "bytes": template.path.stat().st_size,
        **asdict(template.header),
    }


def _source(template: Template) -> str:
    swap = template.header.swap
    if swap is None:
        return "none built in"
    count, sums = len(swap.photos), ", ".join(photo[:12] for photo in swap.photos)
    size = f"{template.header.members[SWAPPED].size / 1e6:.1f} MB"
    return f"{count} photo{'s' * (count > 1)}, SHA-256 {sums}; strength {swap.strength:g}; {size}"


def _summary(template: Template) -> str:
    header = template.header
    return (
        f"{header.frames} frames of {header.width}x{header.height} at {float(header.rate):g} a "
        "second, "
        f"{header.usable_frames} with a face that can be replaced"
    )
