"""What a job needs before its first frame: loaded networks, photos, the first pass, and the mouth's
motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.pipeline.analysis.analyse import analyse, person_folder
from swaptalk.pipeline.analysis.result import Analysis, is_complete
from swaptalk.pipeline.analysis.source import (
    AnySource,
    ReadyFaces,
    Source,
    UnreadSource,
    read_source,
)
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.notes import about_beards
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.render.face_generator import face_generator
from swaptalk.pipeline.render.motion_track import Motion, MotionTrack, write_motion
from swaptalk.pipeline.render.people_faces import PeopleFaces
from swaptalk.pipeline.report import Stopwatch


class Preparation:
    """Prepares jobs.

    Args:
        networks: the networks of the run-time.
        analyser: finds faces.
        progress: called with the progress of a job.
    """

    def __init__(self, networks: Networks, analyser: FaceAnalyser, progress: Progress) -> None:
        self._networks, self._analyser, self._progress = networks, analyser, progress
        self._ready_faces = ReadyFaces()

    def load(self, plan: Plan, speaks: bool) -> Future[None]:
        """Get the networks of a job ready while its target is analysed: compiling them takes a
        second.
        """
        swaps = bool(plan.options.source) and not (plan.compiled and plan.stored_swap)
        wanted = [
            *(["encoder"] if swaps or plan.options.warps_lips or not plan.compiled else []),
            *(["identity", "swap"] if swaps else []),
            *(["motion"] if speaks else []),
            *(["lipsync"] if speaks and not plan.options.warps_lips else []),
            "decoder",
            *(["restoration"] if plan.options.restoration and self._networks.restores else []),
        ]
        executor = ThreadPoolExecutor(1, "load")
        loading = executor.submit(self._networks.load, *wanted)
        executor.shutdown(wait=False)
        return loading

    def source(self, plan: Plan, stopwatch: Stopwatch) -> AnySource | None:
        """The photos of one person; read only if needed where a template holds the swap."""
        options = plan.options

        def read() -> Source:
            with stopwatch.stage("source"):
                found = read_source(
                    options.source, options.source_face, self._analyser, self._ready_faces
                )
            for path, warning in found.warnings:
                self._progress.note(f"{path}: {warning.message}; {warning.remedy}")
            return found

        if not options.source:
            return None
        return UnreadSource(read) if plan.compiled and plan.stored_swap else read()

    def sources(self, plan: Plan, stopwatch: Stopwatch) -> list[AnySource | None]:
        """The photos of each person."""
        found = []
        for person in plan.people or (plan,):
            try:
                found.append(self.source(person, stopwatch))
            except InputError as error:
                if person.entry is None:
                    raise
                where = "" if error.path is None else f"{error.path}: "
                raise person.entry.error(f"{where}{error.problem}", error.remedy) from error
        return found

    def faces(
        self,
        plan: Plan,
        sources: Sequence[AnySource | None],
        folder: Path,
        stopwatch: Stopwatch,
        live: Motion | None = None,
    ) -> PeopleFaces:
        """The first pass, unless an interrupted job has done it, and the mouths' motion unless it
        comes ``live``.
        """
        if not is_complete(folder):
            analyse(plan, self._analyser, self._networks, folder, self._progress, stopwatch)
        motions = {}
        for number, recording in enumerate(plan.recordings):
            motions[recording.path] = folder / f"words-{number}"
            motions[recording.path].mkdir(exist_ok=True)
            with stopwatch.stage("audio"):
                write_motion(self._networks, recording, motions[recording.path])
        stored = (
            plan.template.stored_swaps() if plan.template is not None and plan.stored_swap else None
        )
        people = []
        for number, (person, source) in enumerate(
            zip(plan.people or (plan,), sources, strict=True)
        ):
            analysis = Analysis(person_folder(folder, number) if plan.people else folder)
            motion = live
            if person.audio is not None:
                turns = None
                if person.turns is not None:
                    turns = [(turn.start, turn.end) for turn in person.turns]
                place = motions[person.audio.path]
                motion = MotionTrack(place, self._networks, turns, rests=bool(plan.people))
            people.append(face_generator(person, self._networks, analysis, source, motion, stored))
        notes = [
            note
            for person, generator in zip(plan.people or (plan,), people, strict=True)
            for note in about_beards(person.options, generator.beards)
        ]
        for note in notes:
            self._progress.note(note)
        return PeopleFaces(self._networks, people, notes)
