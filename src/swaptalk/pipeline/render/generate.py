"""The second pass, stage by stage: decode, compose, networks, paste; each in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.composite import Compositor
from swaptalk.faces.editing.occlusion import OcclusionNetwork
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.captions import Captions
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.detail_track import DetailTrack
from swaptalk.pipeline.render.face_generator import BATCH, FaceGenerator, Frame, batched
from swaptalk.pipeline.render.face_swapper import FaceSwapper
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
    swapper: FaceSwapper, analysis: Analysis, frames: Iterable[Frame], stopwatch: Stopwatch
) -> Generator[Frame, None, None]:
    """Stage 2: the classical composites, each target frame's once."""
    seen: set[int] = set()
    with closing(analysis), closing(swapper):
        for frame in frames:
            if frame.target not in seen and analysis.usable(frame.target):
                with stopwatch.stage("compose faces"):
                    crop = analysis.crop(frame.target, frame.picture)
                    frame.composite = swapper.compose(crop, frame.target)
                seen.add(frame.target)
            yield frame


def generate_faces(
    plan: Plan,
    faces: FaceGenerator,
    frames: Iterable[Frame],
    stopwatch: Stopwatch,
) -> Generator[Frame, None, None]:
    """Stage 3: the networks, a few frames at a time; frames without a usable face pass through."""
    tuner = ThreadTuner(faces.networks, plan.frames)
    for batch in batched(frames, BATCH):
        usable = [frame for frame in batch if faces.analysis.usable(frame.target)]
        if usable:
            begun = tuner.begin()
            with stopwatch.stage("networks"):
                made = faces(usable, [float(frame.index / plan.fps) for frame in usable])
            tuner.end(begun)
            for frame, face in zip(usable, made, strict=True):
                frame.face = face
        yield from batch


def composite_frames(
    plan: Plan,
    analysis: Analysis,
    frames: Iterable[Frame],
    stopwatch: Stopwatch,
    states: SmoothingStates | None = None,
    first: int = 0,
    detail: DetailTrack | None = None,
) -> Generator[NDArray[np.uint8], None, None]:
    """Stage 4: the new faces into the full pictures, from frame ``first`` on, as ``states`` left
    off there, with the photo's ``detail``.
    """
    compositor = Compositor(plan.options.replaced_region, OcclusionNetwork())
    scene = -1
    if states is not None and first:
        states.restore(compositor, first)
        scene = analysis.scene(plan.playback(first - 1))
    with closing(analysis):
        for frame in frames:
            if frame.face is None or analysis.scene(frame.target) != scene:
                compositor.reset()
                scene = analysis.scene(frame.target)
            if frame.face is None:
                picture = frame.picture
            else:
                with stopwatch.stage("composite"):
                    picture = compositor(
                        frame.picture,
                        frame.face,
                        analysis.alignment(frame.target),
                        analysis.mesh(frame.target),
                        None if detail is None else detail.at(analysis, frame.target),
                    )
            if states is not None:
                states.keep(compositor, frame.index)
            yield picture


def generate_frames(
    plan: Plan,
    faces: FaceGenerator,
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
    view = View(plan, faces.analysis)
    captions = None
    if plan.captions:
        captions = Captions(plan.captions, *plan.view, plan.options.label_font)

    def decoded() -> Iterator[Frame]:
        return stopwatch.iterate("decode video", decode_frames(plan, indices))

    # Each stage ends the one before it, whatever happens: an error keeps the frames of its
    # traceback alive, and a thread that was still inside a network when the program ended would
    # bring it down.
    def composed() -> Iterator[Frame]:
        with closing(background(decoded, QUEUE, "decode")) as pictures:
            swapper = faces.composing()
            if swapper is None:
                yield from pictures
            else:
                analysis = faces.analysis.reopened()
                yield from compose_faces(swapper, analysis, pictures, stopwatch)

    def faced() -> Iterator[Frame]:
        with closing(background(composed, QUEUE, "compose")) as pictures:
            yield from generate_faces(plan, faces, pictures, stopwatch)

    def composited() -> Iterator[NDArray[np.uint8]]:
        with closing(background(faced, QUEUE, "networks")) as made:
            pictures = composite_frames(
                plan, faces.analysis.reopened(), made, stopwatch, states, first, faces.detail
            )
            for index, picture in zip(indices, pictures, strict=True):
                shown = view(picture, plan.playback(index))
                if captions is not None:
                    shown = captions(shown, float(index / plan.fps))
                with stopwatch.stage("mark"):
                    marked = mark(shown)
                yield marked

    with short_turns():
        yield from background(composited, QUEUE, "composite")
