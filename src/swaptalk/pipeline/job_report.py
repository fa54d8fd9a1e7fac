"""Report of a finished job, from its plan, its analysis and the time it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from swaptalk.pipeline.analysis.source import AnySource, Source
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.marker import OutputMarker
from swaptalk.pipeline.render.people_faces import PeopleFaces
from swaptalk.pipeline.report import Report, Stopwatch, peak_memory_bytes


def _people_report(plan: Plan, faces: PeopleFaces, targets: Sequence[int]) -> list[dict[str, Any]]:
    """What became of each of several people."""
    told = []
    for person, analysis in zip(plan.people, faces.analyses, strict=False):
        assert person.entry is not None
        reasons = Counter(analysis.reason(target) for target in targets)
        changed = reasons.pop("", 0)
        told.append(
            {
                "person": person.entry.called,
                "entry": person.entry.entry,
                "changed": changed,
                "passed_through": dict(reasons.most_common()),
            }
        )
    return told


def job_report(
    plan: Plan,
    output: Path,
    faces: PeopleFaces,
    sources: Sequence[AnySource | None],
    done: int,
    stopwatch: Stopwatch,
    marker: OutputMarker,
) -> Report:
    """Describe a finished job; its first ``done`` frames were there already."""
    targets = [plan.playback(index) for index in range(plan.frames)]
    passed = Counter(
        "" if faces.changed(target) else faces.analysis.reason(target) for target in targets
    )
    changed = passed.pop("", 0)
    seconds = stopwatch.total
    return Report(
        output=str(output),
        frames=plan.frames,
        duration=float(plan.seconds),
        frame_rate=str(plan.fps),
        width=plan.view[0],
        height=plan.view[1],
        changed=changed,
        passed_through=dict(passed.most_common()),
        resumed_frames=done,
        seconds=round(seconds, 3),
        fps=round((plan.frames - done) / seconds, 2),
        notes=(*plan.notes, *faces.notes),
        photo_warnings=[
            {"photo": str(path), **asdict(warning)}
            for source in sources
            for path, warning in (source.warnings if isinstance(source, Source) else ())
        ],
        people=_people_report(plan, faces, targets),
        watermark=None if marker.identifier is None else f"{marker.identifier:016x}",
        stages=stopwatch.stages,
        peak_memory_bytes=peak_memory_bytes(),
    )
