"""A look at a few frames before a long job: the face close up, the target, the result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.generate import generate_frames
from swaptalk.pipeline.render.people_faces import PeopleFaces
from swaptalk.pipeline.render.view import View
from swaptalk.pipeline.report import Stopwatch
from swaptalk.pipeline.target import resized
from swaptalk.pipeline.timeline import Playback

#: Only the beginning is analysed (seconds); ``--start`` moves it.
PREVIEW_SECONDS = 8
#: Frames shown, and the height of each in the picture.
PREVIEW_FRAMES = 4
PREVIEW_HEIGHT = 360
#: A close-up shows this multiple of the face's box, in at most so many pixels a side.
CLOSE_UP_MARGIN, CLOSE_UP_SIDE = 1.5, 480
#: Seconds of the target around a single moment that are analysed: enough for a reference of the
#: mouth, little enough to be seen at once.
MOMENT_SECONDS = 0.6

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class PreviewFrame:
    """One frame of a preview, marked like the output."""

    seconds: float
    """Its time in the output."""
    before: NDArray[np.uint8]
    """The target's picture (H, W, 3)."""
    after: NDArray[np.uint8]
    """The result's picture (H, W, 3)."""
    face: Box | None
    """Square around the face in pixels, (left, top, right, bottom); None where no face is
    changed."""

    def close_up(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square around the face in a picture (H, W, 3), of at most :data:`CLOSE_UP_SIDE`
        pixels; without a face the square in the middle.
        """
        height, width = picture.shape[:2]
        left, top, right, bottom = self.face or _square(
            (width / 2, height / 2), min(height, width), width, height
        )
        cut = picture[top:bottom, left:right]
        side = min(CLOSE_UP_SIDE, cut.shape[0])
        return resized(cut, side, side)


@dataclass(frozen=True)
class _Window(Playback):
    """Playback of a part of the target: the same output frames, counted from its ``first`` one."""

    whole: Playback = Playback(1)
    first: int = 0

    def __call__(self, index: int) -> int:
        return self.whole(index) - self.first


def preview_plan(plan: Plan) -> Plan:
    """The plan of the first seconds only."""
    frames = min(plan.frames, max(1, round(PREVIEW_SECONDS * plan.fps)))
    length = min(plan.playback.length, frames)
    return _changed(plan, frames=frames, playback=Playback(length, plan.playback.extend))


def _changed(plan: Plan, **changes: Any) -> Plan:
    """The plan, and those of its people, with other values."""
    people = tuple(replace(person, **changes) for person in plan.people)
    return replace(plan, people=people, **changes)


def preview_indices(plan: Plan) -> list[int]:
    """Choose output frames to show, spread evenly."""
    shown = min(PREVIEW_FRAMES, plan.frames)
    return [(2 * column + 1) * plan.frames // (2 * shown) for column in range(shown)]


def moment_plan(plan: Plan, seconds: float) -> tuple[Plan, int]:
    """The plan of what is needed for one moment of the output, and the output frame shown then.

    A person chosen by number is looked for from the beginning, as the numbers are given in order of
    appearance.

    Raises:
        InputError: the output ends before.
    """
    index = int(seconds * float(plan.fps) + 1e-6)
    if index >= plan.frames:
        raise InputError(
            f"{seconds:g} s is after the end of the result",
            remedy=f"give a time before {float(plan.seconds):.2f} s",
        )
    target = plan.playback(index)
    around = max(1, round(MOMENT_SECONDS / 2 * float(plan.fps)))
    named = [plan.options.face, *(person.options.face for person in plan.people)]
    whole = any(face is not None and face.isdecimal() for face in named)
    first = 0 if whole else max(0, target - around)
    length = min(plan.playback.length, target + around + 1) - first
    start, rate = plan.options.start, float(plan.fps)
    # A little before the first frame, so that rounding does not skip it.
    part = _changed(
        plan,
        playback=_Window(length, plan.playback.extend, plan.playback, first),
        template=None,
        stored_swap=False,
    )
    if plan.playback.length > 1:
        begin = start if first == 0 else start + (first - 0.01) / rate
        end = start + (first + length) / rate

        def cut(one: Plan) -> Plan:
            return replace(one, options=replace(one.options, start=begin, end=end))

        part = replace(cut(part), people=tuple(cut(person) for person in part.people))
    return part, index


def preview_part(plan: Plan, at: float | None) -> tuple[Plan, list[int]]:
    """The part of a plan that a preview needs, and the output frames that it shows.

    Args:
        plan: the whole job.
        at: one moment of the output in seconds; None for a few frames of the beginning.

    Raises:
        InputError: the output ends before ``at``.
    """
    if at is None:
        part = preview_plan(plan)
        return part, preview_indices(part)
    part, index = moment_plan(plan, at)
    return part, [index]


def preview_frames(
    plan: Plan, indices: Sequence[int], faces: PeopleFaces, stopwatch: Stopwatch
) -> list[PreviewFrame]:
    """Make the frames of a preview; the marks are up to the caller."""
    targets = [plan.playback(index) for index in indices]
    made = generate_frames(plan, faces, indices, stopwatch, lambda picture: picture)
    view = View(plan, faces.analyses)
    with closing(made) as results, plan.open_target() as target:
        boxes = [face_box(faces.analysis, one, view.corner(one), *plan.view) for one in targets]
        before = list(map(view, target.frames(targets), targets))
        return [
            PreviewFrame(float(index / plan.fps), shown, after, box)
            for index, shown, after, box in zip(indices, before, list(results), boxes, strict=True)
        ]


def face_box(
    analysis: Analysis, frame: int, corner: tuple[int, int], width: int, height: int
) -> Box | None:
    """Square around the face of a target frame, inside a part of this size whose left upper corner
    is ``corner``; None where there is no usable face.
    """
    if not analysis.usable(frame):
        return None
    points = analysis.alignment(frame).to_image(analysis.mesh(frame)[:, :2]) - corner
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) * CLOSE_UP_MARGIN
    centre = (low + high) / 2
    return _square((float(centre[0]), float(centre[1])), side, width, height)


def _square(centre: tuple[float, float], side: float, width: int, height: int) -> Box:
    whole = max(1, min(round(side), width, height))
    left = min(max(0, round(centre[0] - whole / 2)), width - whole)
    top = min(max(0, round(centre[1] - whole / 2)), height - whole)
    return left, top, left + whole, top + whole


def preview_sheet(frames: Sequence[PreviewFrame]) -> NDArray[np.uint8]:
    """One picture of all frames (H, W, 3): the face close up, before beside after; below the
    target, below that the result.
    """
    height = min(PREVIEW_HEIGHT, frames[0].before.shape[0])
    width = max(1, round(frames[0].before.shape[1] * height / frames[0].before.shape[0]))
    side = max(width // 2, height // 2)
    rows = [
        [_pair(frame, side) for frame in frames],
        [resized(frame.before, width, height) for frame in frames],
        [resized(frame.after, width, height) for frame in frames],
    ]
    column = max(width, 2 * side)
    return np.concatenate(
        [np.concatenate([_centred(one, column) for one in row], axis=1) for row in rows], axis=0
    )


def _pair(frame: PreviewFrame, side: int) -> NDArray[np.uint8]:
    faces = (frame.close_up(frame.before), frame.close_up(frame.after))
    return np.concatenate([resized(face, side, side) for face in faces], axis=1)


def _centred(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    missing = width - picture.shape[1]
    return np.pad(picture, ((0, 0), (missing // 2, missing - missing // 2), (0, 0)))
