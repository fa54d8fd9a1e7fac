"""Compiles a target: the same first pass as for a video, the codes of all frames, and one file of
both.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.pipeline.analysis.analyse import arrange_all, write_face_log
from swaptalk.pipeline.analysis.face_log import FACES, REFERENCES, FaceLogReader
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.analysis.source import AnySource
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.job import version
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.notes import about_beards
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.render.face_generator import (
    BATCH,
    FaceGenerator,
    batched,
    face_generator,
)
from swaptalk.pipeline.render.face_swapper import samples_digest, shape_digest
from swaptalk.pipeline.render.generate import decode_frames
from swaptalk.pipeline.render.swapped import SWAPPED, SwapStore
from swaptalk.pipeline.report import Stopwatch
from swaptalk.pipeline.template.check import MEMBERS
from swaptalk.pipeline.template.file import describe_file, write_template_file
from swaptalk.pipeline.template.header import (
    VIDEO_MEMBER,
    Member,
    StoredSwap,
    TargetFile,
    TemplateHeader,
)
from swaptalk.pipeline.template.template import Template


def write_template(
    plan: Plan,
    output: Path,
    embed: bool,
    source: AnySource | None,
    analyser: FaceAnalyser,
    networks: Networks,
    progress: Progress,
    check: Callable[[], object],
) -> Template:
    """Analyse all frames of the plan and write them as a template, with their swap if there is a
    source.

    ``check`` is called before the file gets its name. It must refuse inputs that have changed since
    they were read, so that the swap of one photo is never stored under the checksum of another.

    Raises:
        InputError: no face that could be replaced, or the output cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="swaptalk-") as temporary:
        log_folder, folder = Path(temporary) / "log", Path(temporary) / "analysis"
        log_folder.mkdir()
        folder.mkdir()
        stopwatch = Stopwatch()
        write_face_log(plan, analyser, log_folder, progress, stopwatch)
        arrange_all(plan, analyser, networks, log_folder, folder, stopwatch)
        with (
            closing(face_generator(plan, networks, Analysis(folder), source)) as faces,
            closing(SwapStore(Path(temporary) / SWAPPED)) as swaps,
        ):
            usable = _encode_all(plan, faces, None if source is None else swaps, progress)
            for note in about_beards(plan.options, faces.beards):
                progress.note(note)
            swap = None if source is None else _stored_swap(plan, networks.numerics, faces.analysis)
        files = {
            name: (log_folder if name in (FACES, REFERENCES) else folder) / name
            for name in sorted(MEMBERS)
        }
        if swap is not None:
            files[SWAPPED] = Path(temporary) / SWAPPED
        if embed:
            files[VIDEO_MEMBER] = plan.options.target
        header = _header(
            plan,
            networks.fingerprint,
            FaceLogReader(log_folder, plan.playback.length),
            usable,
            output,
            embed,
        )
        check()
        members = _described(files, plan.target)
        write_template_file(output, replace(header, swap=swap, members=members), files)
    return Template.open(output)


def _encode_all(
    plan: Plan, faces: FaceGenerator, swaps: SwapStore | None, progress: Progress
) -> int:
    """Fill in the codes, and swaps, that a job would make on its way; returns the number of frames
    that have them.
    """
    count, encoded = plan.playback.length, 0
    progress.begin("encode faces" if swaps is None else "encode and swap faces", count)
    for batch in batched(decode_frames(plan, range(count)), BATCH):
        usable = {
            frame.target: frame.picture for frame in batch if faces.analysis.usable(frame.target)
        }
        codes = faces.codes(usable)
        if swaps is not None and usable:
            for frame, swapped in zip(usable, faces.swapped(usable), strict=True):
                swaps.put(frame, swapped.astype(np.float16))
        encoded += len(codes)
        progress.advance(len(batch))
    progress.end()
    return encoded


def _stored_swap(plan: Plan, numerics: str, analysis: Analysis) -> StoredSwap:
    options = plan.options
    scenes = analysis.scene(len(analysis) - 1) + 1
    return StoredSwap(
        photos=[photo.sha256 for photo in plan.sources],
        source_face=options.source_face,
        strength=float(options.strength),
        arithmetic=numerics,
        shape=float(options.shape),
        shapes=[shape_digest(analysis.scene_shape(scene)) for scene in range(scenes)],
        samples=samples_digest(analysis),
    )


def _described(files: dict[str, Path], target: InputFile) -> dict[str, Member]:
    return {
        name: _member(target) if path == target.path else describe_file(path)
        for name, path in files.items()
    }


def _member(file: InputFile) -> Member:
    return Member(file.path.stat().st_size, file.sha256)


def _header(
    plan: Plan, weights: str, log: FaceLogReader, usable: int, output: Path, embed: bool
) -> TemplateHeader:
    options, target = plan.options, plan.options.target
    described = _member(plan.target)
    relative = absolute = None
    if not embed:
        absolute = str(target.resolve())
        try:
            relative = os.path.relpath(absolute, output.resolve().parent)
        except ValueError:  # another drive
            relative = target.name
    return TemplateHeader(
        software=version(),
        weights=weights,
        target=TargetFile(target.name, described.size, described.sha256, relative, absolute),
        face=options.face,
        start=options.start,
        end=options.end,
        asked_fps=options.fps,
        asked_resolution=options.resolution,
        fps=str(plan.fps),
        width=plan.width,
        height=plan.height,
        frames=plan.playback.length,
        usable_frames=usable,
        reasons=log.reasons,
        cuts=log.cuts,
        renumbered=[list(astuple(one)) for one in log.renumbered],
        members={},
    )
