"""The Python interface: plan -> analyse -> generate -> write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.inference.bundle import ModelBundle
from swaptalk.inference.engines import Precision
from swaptalk.media.image import write_image
from swaptalk.pipeline.analysis.found_faces import FoundFace, list_faces
from swaptalk.pipeline.analysis.source import AnySource
from swaptalk.pipeline.checks import check_output, full_disk_explained, unchanged
from swaptalk.pipeline.inputs import InputFiles
from swaptalk.pipeline.job import JobFolder
from swaptalk.pipeline.job_report import job_report
from swaptalk.pipeline.live_options import live_options
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.options import Device, EngineOptions, GenerateOptions, Purpose
from swaptalk.pipeline.output_form import copy_subtitles
from swaptalk.pipeline.plan import Plan, make_plan
from swaptalk.pipeline.preparation import Preparation
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.render.generate import decode_frames, generate_frames
from swaptalk.pipeline.render.live import PREPARED_FRAMES, LiveSpeech, live_frames
from swaptalk.pipeline.render.marker import OutputMarker, check_photos
from swaptalk.pipeline.render.preview import (
    PreviewFrame,
    preview_frames,
    preview_part,
    preview_sheet,
)
from swaptalk.pipeline.render.smoothing import SmoothingStates
from swaptalk.pipeline.render.thumbnail import thumbnail_index
from swaptalk.pipeline.render.view import View
from swaptalk.pipeline.render.write import (
    chunk_frames,
    finished_frame,
    finished_frames,
    join,
    photo_alpha,
    with_alpha,
    write_chunks,
)
from swaptalk.pipeline.report import Report, Stopwatch
from swaptalk.pipeline.settings import JobSettings, LiveSettings, TemplateSettings, job_options
from swaptalk.pipeline.template.build import write_template
from swaptalk.pipeline.template.file import TEMPLATE_SUFFIX
from swaptalk.pipeline.template.template import Template, is_template
from swaptalk.provenance.signing import SigningIdentity
from swaptalk.storage.files import write_atomically

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SwapTalk:
    """Renders talking videos from a photo, a video and a recording. Runs one job at a time.

    ```python
    maker = SwapTalk.from_pretrained()
    maker.generate(source="me.jpg", target="scene.mp4", audio="words.wav", output="out.mp4")
    ```

    Args:
        networks: the networks of the run-time.
        analyser: the networks that find faces.
        progress: called with the progress of a job.
        signer: signs the outputs, for instance in a key service; otherwise ``certificate`` or the
            self-made key does.
        unmarked: for research on the pixels: no watermark and no label, which the manifest says.
    """

    def __init__(
        self,
        networks: Networks,
        analyser: FaceAnalyser,
        progress: Progress | None = None,
        signer: SigningIdentity | None = None,
        unmarked: bool = False,
    ) -> None:
        self._networks, self._analyser, self._signer = networks, analyser, signer
        self._unmarked = unmarked
        self._progress = progress or Progress()
        self._preparation = Preparation(networks, analyser, self._progress)

    @classmethod
    def from_pretrained(
        cls,
        models: Path | str | None = None,
        device: Device = "auto",
        threads: int = 0,
        progress: Progress | None = None,
        signer: SigningIdentity | None = None,
        precision: Precision = "auto",
    ) -> SwapTalk:
        """Load the weights that came with the package, or those in the folder ``models``.

        Missing third-party files are fetched once. ``threads`` = 0 leaves some cores to the other
        stages. ``precision`` is what the networks compute in, see `EngineOptions`.

        Raises:
            InputError: ``device``, ``threads`` or ``precision`` is out of range, or this computer
                does not have it.
            SwapTalkError: weights are missing or damaged.
        """
        folder = None if models is None else Path(models)
        engine = EngineOptions(models=folder, device=device, threads=threads, precision=precision)
        return cls.from_options(engine, progress, signer)

    @classmethod
    def from_options(
        cls,
        engine: EngineOptions,
        progress: Progress | None = None,
        signer: SigningIdentity | None = None,
    ) -> SwapTalk:
        """Load the networks as `from_pretrained` does, from one object."""
        engine.check_engine()
        bundle = ModelBundle.from_pretrained(
            engine.models, engine.threads, engine.device, engine.precision
        )
        return cls(bundle, FaceAnalyser(), progress, signer)

    def generate(
        self, options: GenerateOptions | None = None, **settings: Unpack[JobSettings]
    ) -> Report | None:
        """Render a video (or, from a photo without audio, a photo). It appears when it is complete.

        Args:
            options: the job. Without ``source`` the target keeps its face, without ``audio`` its
                speech and mouth.
            **settings: the fields of `GenerateOptions`, instead of ``options``.

        Returns:
            What was made and what it took; None if only a preview was asked for.

        Raises:
            InputError: an input or option is at fault; nothing is written.
            KeyboardInterrupt: finished chunks stay beside the output, for ``resume=True``.
        """
        plan = self._plan(job_options(options, settings), "render")
        marker = self._marker(plan)
        stopwatch = Stopwatch()
        loading = self._preparation.load(plan, speaks=plan.options.audio is not None)
        source = self._preparation.sources(plan, stopwatch)
        if plan.options.preview is not None:
            sheet = preview_sheet(self._preview(plan, source))
            marker.write_image(plan.options.preview, sheet)
        if plan.options.output is None:
            return None
        return self._render(plan, plan.options.output, source, stopwatch, marker, loading)

    def frames(
        self, options: GenerateOptions | None = None, **settings: Unpack[JobSettings]
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield the composited frames, RGB (H, W, 3) uint8, instead of writing a video.

        They carry the watermark; the signed manifest is up to those who make the file.

        Takes what `generate` takes, but needs no ``output``. Close the iterator to stop
        early.

        Raises:
            InputError: an input or option is at fault.
        """
        plan = self._plan(job_options(options, settings), "frames")
        marker = self._marker(plan)
        stopwatch = Stopwatch()
        with tempfile.TemporaryDirectory(prefix="swaptalk-") as folder:
            with (
                closing(
                    self._preparation.faces(
                        plan, self._preparation.sources(plan, stopwatch), Path(folder), stopwatch
                    )
                ) as faces,
                closing(
                    generate_frames(plan, faces, range(plan.frames), stopwatch, marker.apply)
                ) as frames,
            ):
                yield from frames

    def stream(
        self,
        audio: Iterable[NDArray[np.floating[Any]]],
        options: GenerateOptions | None = None,
        **settings: Unpack[LiveSettings],
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield frames while somebody speaks, for voice agents and calls.

        A frame is made as soon as the speech up to ``LOOK_AHEAD`` (0.2 s, see
        `swaptalk.pipeline.render.live`) after it has come: pictures follow the sound at that
        distance, the length of a chunk, and the time one frame takes. The target is played back and
        forth for as long as somebody speaks; give a template or a photo, or its analysis comes
        first. The frames carry the watermark.

        Args:
            audio: chunks of samples (n,) at 16 kHz, floats in [-1, 1] or 16-bit integers; 20 to 100
                ms each are fit.
            options: the job: one person, and nothing that concerns a file or its sound.
            **settings: the fields of `GenerateOptions`, instead of ``options``.

        Raises:
            InputError: an input or option is at fault, or cannot be followed live.
            ValueError: a chunk is not what it must be.
        """
        asked = live_options(job_options(options, settings))
        plan = self._plan(asked, "live")
        marker, stopwatch, speech = self._marker(plan), Stopwatch(), LiveSpeech(self._networks)
        with tempfile.TemporaryDirectory(prefix="swaptalk-") as folder:
            loading = self._preparation.load(plan, speaks=True)
            source = self._preparation.sources(plan, stopwatch)
            with closing(
                self._preparation.faces(plan, source, Path(folder), stopwatch, speech)
            ) as faces:
                loading.result()  # this too before the first sound is asked for, so that none waits
                first = range(min(len(faces.analysis), PREPARED_FRAMES))
                if plan.template is not None or len(faces.analysis) == 1:
                    faces.people[0].keep(decode_frames(plan, first))
                with closing(live_frames(plan, faces, speech, audio, stopwatch)) as frames:
                    view = View(plan, faces.analyses)
                    for index, picture in enumerate(frames):
                        yield marker.apply(view(picture, plan.playback(index)))

    def list_faces(
        self, options: GenerateOptions | None = None, **settings: Unpack[JobSettings]
    ) -> list[FoundFace]:
        """Find the people in the target, and write their numbered contact sheet to ``list_faces``
        if it is given.

        Raises:
            InputError: an input or option is at fault, or nobody is seen.
        """
        plan = make_plan(job_options(options, settings), "faces")
        return list_faces(plan, self._analyser, self._progress)

    def _marker(self, plan: Plan) -> OutputMarker:
        return OutputMarker(plan, self._networks.fingerprint, self._signer, self._unmarked)

    def build_template(
        self,
        target: Path | str,
        output: Path | str,
        *,
        embed: bool = False,
        **settings: Unpack[TemplateSettings],
    ) -> Template:
        """Compile a target once, for many jobs: its faces, alignments and codes in one file.

        With ``source`` the swap of every frame is in it too: jobs with the same photos and
        ``strength`` need not make it again. A job without a source keeps the target's own face, as
        ever.

        Args:
            target: video or photo.
            output: file to write (.swaptalk), whole or not at all.
            embed: carry the target in the file instead of naming where it lies.
            **settings: ``face``, ``start``, ``end``, ``fps``, ``resolution``, ``source``,
                ``source_face``, ``strength`` and ``consent`` as of `GenerateOptions`.

        Raises:
            InputError: an input or option is at fault; nothing is written.
        """
        options = job_options(None, {"target": target, **settings}, TemplateSettings)
        output = Path(output)
        if is_template(options.target):
            raise InputError(
                "is a template already", path=target, remedy="give the video it was made of"
            )
        plan = self._noted(make_plan(options, "template", files=InputFiles(keep=True)))
        check_output(output, (TEMPLATE_SUFFIX,), [file.path for file in plan.inputs])
        if options.source:
            check_photos(options)
        with full_disk_explained(output.parent), unchanged(plan.inputs) as check:
            source = self._preparation.source(plan, Stopwatch())
            return write_template(
                plan, output, embed, source, self._analyser, self._networks, self._progress, check
            )

    def _plan(self, options: GenerateOptions, purpose: Purpose) -> Plan:
        plan = self._noted(make_plan(options, purpose, files=InputFiles(keep=True)))
        if plan.template is not None:
            plan.template.check_weights(self._networks.fingerprint)
            # A stored swap has the target's mouth: of no use where that changes before the swap.
            usable = not plan.people and not plan.options.warps_lips
            stored = usable and plan.template.holds_swap(
                plan.options, plan.sources, self._networks.numerics
            )
            plan = replace(plan, stored_swap=stored)
        return plan

    def _noted(self, plan: Plan) -> Plan:
        for note in plan.notes:
            self._progress.note(note)
        return plan

    def _render(
        self,
        plan: Plan,
        output: Path,
        sources: Sequence[AnySource | None],
        stopwatch: Stopwatch,
        marker: OutputMarker,
        loading: Future[None],
    ) -> Report:
        with (
            full_disk_explained(output.parent),
            JobFolder(output, marker.job) as job,
            unchanged(plan.inputs) as check,
        ):
            job.begin(plan.options.resume)
            done, unsigned = finished_frames(plan, job), job.unsigned(output.suffix)
            with closing(self._preparation.faces(plan, sources, job.analysis, stopwatch)) as faces:
                loading.result()  # what went wrong there is raised here
                self._progress.begin("generate", plan.frames, done)
                states = SmoothingStates(job.smoothing, chunk_frames(plan))
                indices, view = range(done, plan.frames), View(plan, faces.analyses)
                with closing(
                    generate_frames(plan, faces, indices, stopwatch, marker.apply, states)
                ) as frames:
                    if plan.image:
                        write_image(unsigned, next(frames), photo_alpha(plan, view))
                    else:
                        shown = with_alpha(plan, view, frames, done) if plan.keeps_alpha else frames
                        write_chunks(plan, job, shown, done, stopwatch, self._progress.advance)
                self._progress.end()
                check()
                if not plan.image:
                    with stopwatch.stage("join"):
                        join(plan, job, unsigned)
                with stopwatch.stage("sign"):
                    marker.sign(unsigned, output)
                copy_subtitles(plan.options)
                if plan.options.thumbnail is not None:
                    best = thumbnail_index(plan, faces.analysis)
                    frame = finished_frame(plan, job, best)
                    marker.write_image(plan.options.thumbnail, frame, marked=True)
                report = job_report(plan, output, faces, sources, done, stopwatch, marker)
            job.finished()
        if plan.options.stats is not None:
            write_atomically(plan.options.stats, report.to_json())
        return report

    def preview(
        self, options: GenerateOptions, at: float | None = None
    ) -> tuple[list[PreviewFrame], float]:
        """Make a few frames of a job at full size, before and after; with ``options.preview`` also
        the picture of all.

        Args:
            options: the job; its ``output`` is left alone.
            at: only the frame at this time of the output, in seconds; of the target little more
                than that moment is analysed.

        Returns:
            The frames, and the length of the whole output in seconds.

        Raises:
            InputError: an input or option is at fault, or ``at`` is after the end.
        """
        plan = self._plan(options, "frames")
        marker = self._marker(plan)
        loading = self._preparation.load(plan, speaks=plan.options.audio is not None)
        source = self._preparation.sources(plan, Stopwatch())
        frames = self._preview(plan, source, at)
        loading.result()
        if options.preview is not None:
            marker.write_image(options.preview, preview_sheet(frames))
        return [replace(one, after=marker.apply(one.after)) for one in frames], float(plan.seconds)

    def _preview(
        self, plan: Plan, sources: Sequence[AnySource | None], at: float | None = None
    ) -> list[PreviewFrame]:
        """Frames of the beginning, or the one at a moment; not marked yet."""
        part, indices = preview_part(plan, at)
        stopwatch = Stopwatch()
        with (
            tempfile.TemporaryDirectory(prefix="swaptalk-") as folder,
            closing(self._preparation.faces(part, sources, Path(folder), stopwatch)) as faces,
        ):
            return preview_frames(part, indices, faces, stopwatch)
