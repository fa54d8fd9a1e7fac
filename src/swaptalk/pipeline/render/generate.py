"""The second pass, stage by stage: decode, compose, networks, paste; each in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.composite import Compositor
from swaptalk.faces.editing.occlusion import OcclusionNetwork
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.captions import Captions
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.detail_track import DetailTrack
from swaptalk.pipeline.render.face_generator import (
    BATCH,
    batched,
)
from swaptalk.pipeline.render.face_swapper import FaceSwapper
from swaptalk.pipeline.render.frame import Frame
from swaptalk.pipeline.render.people_faces import Part, PeopleFaces, faces_together
from swaptalk.pipeline.render.restoration import Restoration
from swaptalk.pipeline.render.smoothing import SmoothingStates
from swaptalk.pipeline.render.thread_tuning import ThreadTuner
from swaptalk.pipeline.render.view import View
from swaptalk.pipeline.report import Stopwatch
from swaptalk.workers.background import background, short_turns

#: Frames that may wait between two stages: while one batch is computed the next stage works off the
#: one before. More brings no speed and takes 11 MB a joint at 720p.
QUEUE = BATCH


def decode_frames(plan: Plan, indices: Sequence[int]) -> Generator[Frame, None, None]:
    """Stage 1: the target's pictures for these output frames."""
    targets = [plan.playback(index) for index in indices]
    with plan.open_target() as target:
        for index, number, picture in zip(indices, targets, target.frames(targets), strict=True):
            yield Frame(index, number, picture)


def compose_faces(
    people: Sequence[tuple[FaceSwapper, Analysis] | None],
    frames: Iterable[list[Frame]],
    stopwatch: Stopwatch,
) -> Generator[list[Frame], None, None]:
    """Stage 2: the classical composites, each target frame's once, of the people who get one."""
    seen: set[int] = set()
    with ExitStack() as opened:
        for own in people:
            if own is not None:
                opened.enter_context(closing(own[0]))
                opened.enter_context(closing(own[1]))
        for views in frames:
            for own, frame in zip(people, views, strict=True):
                if own is None or frame.target in seen or not own[1].usable(frame.target):
                    continue
                swapper, analysis = own
                with stopwatch.stage("compose faces"):
                    crop = analysis.crop(frame.target, frame.picture)
                    frame.composite = swapper.compose(crop, frame.target)
            seen.add(views[0].target)
            yield views


def generate_faces(
    plan: Plan,
    faces: PeopleFaces,
    frames: Iterable[list[Frame]],
    stopwatch: Stopwatch,
) -> Generator[list[Frame], None, None]:
    """Stage 3: the networks, a few frames at a time; frames without a usable face pass through."""
    tuner = ThreadTuner(faces.networks, plan.frames)
    for batch in batched(frames, BATCH):
        parts: list[Part] = []
        for number, person in enumerate(faces.people):
            own = [views[number] for views in batch]
            usable = [frame for frame in own if person.analysis.usable(frame.target)]
            if usable:
                times = [float(frame.index / plan.fps) for frame in usable]
                parts.append((person, usable, times))
        if parts:
            begun = tuner.begin()
            with stopwatch.stage("networks"):
                made = faces_together(faces.networks, parts)
            tuner.end(begun)
            for (_, usable_frames, _), new in zip(parts, made, strict=True):
                for frame, face in zip(usable_frames, new, strict=True):
                    frame.face = face
        yield from batch


@dataclass
class _Painter:
    """Pastes the faces of one person."""

    analysis: Analysis
    detail: DetailTrack | None
    restoration: Restoration | None
    compositor: Compositor
    scene: int = -1

    def begin(self, frame: Frame) -> None:
        """Forget what was before, where the face was away or the scene is another one."""
        scene = self.analysis.scene(frame.target)
        if frame.face is None or scene != self.scene:
            self.compositor.reset()
            self.scene = scene

    def __call__(self, picture: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
        """Paste a frame's face into its picture."""
        assert frame.face is not None
        face = frame.face if self.restoration is None else self.restoration(frame)
        return self.compositor(
            picture,
            face,
            self.analysis.alignment(frame.target),
            self.analysis.mesh(frame.target) if frame.mesh is None else frame.mesh,
            None if self.detail is None else self.detail.at(self.analysis, frame.target),
            self.analysis.exposure(frame.target),
        )


def composite_frames(
    plan: Plan,
    faces: PeopleFaces,
    frames: Iterable[list[Frame]],
    stopwatch: Stopwatch,
    states: SmoothingStates | None = None,
    first: int = 0,
) -> Generator[NDArray[np.uint8], None, None]:
    """Stage 4: the new faces into the full pictures (H, W, 3), from frame ``first`` on, as
    ``states`` left off there; smaller faces first, so that who is nearer covers who is behind.
    """
    occlusion = OcclusionNetwork()
    jobs = plan.people or (plan,)
    painters = [
        _Painter(
            person.analysis.reopened(),
            person.detail,
            person.restoration(),
            Compositor(job.options.replaced_region, occlusion),
        )
        for person, job in zip(faces.people, jobs, strict=True)
    ]
    compositors = [painter.compositor for painter in painters]
    if states is not None and first:
        states.restore(compositors, first)
        for painter in painters:
            painter.scene = painter.analysis.scene(plan.playback(first - 1))
    with ExitStack() as opened:
        for painter in painters:
            opened.enter_context(closing(painter.analysis))
            if painter.restoration is not None:
                opened.enter_context(closing(painter.restoration))
        for views in frames:
            seen = []
            for painter, frame in zip(painters, views, strict=True):
                painter.begin(frame)
                if frame.face is not None:
                    nearness = -painter.analysis.alignment(frame.target).scale
                    seen.append((nearness, painter, frame))
            picture = views[0].picture
            for _, painter, frame in sorted(seen, key=lambda one: one[0]):
                with stopwatch.stage("composite"):
                    picture = painter(picture, frame)
            if states is not None:
                states.keep(compositors, views[0].index)
            yield picture


def generate_frames(
    plan: Plan,
    faces: PeopleFaces,
    indices: Sequence[int],
    stopwatch: Stopwatch,
    mark: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    states: SmoothingStates | None = None,
) -> Generator[NDArray[np.uint8], None, None]:
    """The composited output frames (H, W, 3) for ``indices``, every stage in its own thread.

    ``mark`` gets each of them last: no picture leaves unmarked by accident. With ``states`` they go
    on where an interrupted job was, to the bit, if they begin with a chunk. Close the generator to
    stop early; errors of any stage are raised here.
    """
    first = indices[0] if states is not None and len(indices) else 0
    view = View(plan, faces.analyses)
    captions = None
    if plan.captions:
        captions = Captions(plan.captions, *plan.view, plan.options.label_font)

    def decoded() -> Iterator[list[Frame]]:
        for frame in stopwatch.iterate("decode video", decode_frames(plan, indices)):
            yield [frame, *(replace(frame) for _ in faces.people[1:])]

    # Each stage ends the one before it, whatever happens: an error keeps the frames of its
    # traceback alive, and a thread that was still inside a network when the program ended would
    # bring it down.
    def composed() -> Iterator[list[Frame]]:
        with closing(background(decoded, QUEUE, "decode")) as pictures:
            swappers = [person.composing() for person in faces.people]
            if not any(swappers):
                yield from pictures
                return
            people = [
                None if swapper is None else (swapper, analysis.reopened())
                for swapper, analysis in zip(swappers, faces.analyses, strict=True)
            ]
            yield from compose_faces(people, pictures, stopwatch)

    def faced() -> Iterator[list[Frame]]:
        with closing(background(composed, QUEUE, "compose")) as pictures:
            yield from generate_faces(plan, faces, pictures, stopwatch)

    def composited() -> Iterator[NDArray[np.uint8]]:
        with closing(background(faced, QUEUE, "networks")) as made:
            pictures = composite_frames(plan, faces, made, stopwatch, states, first)
            for index, picture in zip(indices, pictures, strict=True):
                shown = view(picture, plan.playback(index))
                if captions is not None:
                    shown = captions(shown, float(index / plan.fps))
                with stopwatch.stage("mark"):
                    marked = mark(shown)
                yield marked

    with short_turns():
        yield from background(composited, QUEUE, "composite")
